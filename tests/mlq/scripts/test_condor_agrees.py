"""The submit files of HTCondor mean here what they mean to HTCondor 24, asked through its bindings.

The bindings of version 25 no longer expand a file offline. Left out on purpose: a list without an
item, for which the bindings make one job; blank lines of a file, for which they repeat the
line before.
"""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from mlq.scripts.condor import parse
from mlq.scripts.number_mark import NUMBER, with_number
from mlq.scripts.script_job import Element
from mlq.scripts.where import Edges, Where

CLUSTER = 77


@pytest.fixture(scope="module")
def htcondor() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "htcondor", "24", reason="the bindings of HTCondor 24 are missing"
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLQ_TEST_WORD", "word")
    for name in ("a.dat", "b.dat", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.dat").mkdir()
    (tmp_path / "run0").mkdir()
    (tmp_path / "run1").mkdir()
    (tmp_path / "list.txt").write_text("1 2 3\n4,5\n6\t7 8\n'x y', z\n,a\na,,b\n")
    return tmp_path


def theirs(htcondor: Any, text: str) -> list[dict[str, Any]]:
    found = []
    for job in htcondor.Submit(text).jobs(clusterid=CLUSTER):
        old, new = job.get("Args"), job.get("Arguments")
        found.append(
            {
                "args": old.split() if old is not None else _words(str(new or "")),
                "env": dict(one.split("=", 1) for one in _words(str(job.get("Environment") or ""))),
                "out": job["Out"],
                "err": job["Err"],
                "cwd": job["Iwd"],
                "cpus": job["RequestCpus"],
                "memory": job["RequestMemory"] if "request_memory" in text else None,
                "gpus": int(job.get("RequestGPUs", 0)),
            }
        )
    return found


def ours(text: str, folder: Path) -> list[dict[str, Any]]:
    def matching(path: str) -> tuple[str, ...]:
        return tuple(sorted(str(one) for one in folder.glob(path.removeprefix(f"{folder}/"))))

    edges = Edges(
        lambda path: Path(path).is_dir(), lambda path: Path(path).read_text(), matching=matching
    )
    where = Where("x.sub", str(folder), environ={"MLQ_TEST_WORD": "word"})
    job = parse(text, where, edges)
    elements = job.elements or (Element(job.argv, job.env, job.streams, job.cwd),)
    found = []
    for one in elements:
        argv, env = with_number(one.argv, one.env, CLUSTER)
        out, err = _file(one, "output"), _file(one, "error")
        found.append(
            {
                "args": list(argv[1:]),
                "env": env,
                "out": out,
                "err": err,
                "cwd": one.cwd,
                "cpus": job.cores,
                "memory": job.mem_mib,
                "gpus": job.gpus,
            }
        )
    return found


def _file(one: Element, name: str) -> str:
    path = getattr(one.streams, name) if one.streams else ""
    path = path.replace("%A", str(CLUSTER)).replace("%%", "%")
    return path.removeprefix(f"{one.cwd}/") or "/dev/null"


_WORD = re.compile(r"(?:[^\s']|'(?:[^']|'')*')+")
_GROUP = re.compile(r"'((?:[^']|'')*)'")


def _words(text: str) -> list[str]:
    """Return words as HTCondor's ClassAd has them: single quotes group, and are doubled within."""
    return [
        _GROUP.sub(lambda group: group[1].replace("''", "'"), word) for word in _WORD.findall(text)
    ]


HEAD = (
    "executable = /bin/echo\n"
    "arguments = [$(x)] [$(y)] [$(Item)] $(Process) $(Step) $(Row) $(ItemIndex)\n"
)


@pytest.mark.parametrize(
    "queue",
    [
        "queue", "queue 3", "queue 1+1", "N = 2\nqueue $(N)*2", "Queue x IN (a)",
        "queue x in (a,b c, f)", "queue x in a b c", "queue x in (a b\nc d\n)",
        "queue x in (\na\nb c\n)", "queue 2 x in (a b)", "queue x,y,z in (a b)",
        "queue x from list.txt", "queue x,y from list.txt", "queue x y from list.txt",
        "queue from list.txt", "queue x,y from (\n1 2\n3, 4 \n# c\n5\n)",
        "queue 2 x from (\n a b \n)",
        "queue x matching *.dat", "queue matching files *.dat", "queue matching dirs *.dat",
        "queue x matching (*.dat *.txt)", "queue x matching any *.dat",
        "queue x from [1:3] list.txt", "queue x in [1:] (a,b,c)", "queue x in [::2] (a,b,c)",
        "queue x in [-1:] (a,b,c)",
    ],
)  # fmt: skip
def test_what_queue_asks_for(htcondor: Any, folder: Path, queue: str) -> None:
    assert ours(HEAD + queue, folder) == theirs(htcondor, HEAD + queue)


MACROS = """executable = /bin/echo
fn = /a/b/c.txt
fr = d/e.tar.gz
s = abcdefg
n = 7
q = "quoted str"
l = p,q r
e = $(n)+1
arguments = {}
queue
"""


SIZES = ("2048", "2GB", "2.5G", "1024K", "2T", "2M", "1.5", "2g", "512MB")
WORDS = re.split(
    r"\s+",
    """\
$Fp(fn) $Fd(fn) $Fn(fn) $Fx(fn) $Fnx(fn) $Fpn(fn) $Fdb(fn) $Fbx(fn) $Fdnx(fn) $Fddnx(fn) $Fw(fn)
$F(fn) $Ff(fr) $Fn(fr) $Fx(fr) $Fp(fr) $Fd(fr) $Fbd(fr) $Fu(fr) $F(q) $Fa(s) $FNX(fn) $Ffp(fr)
$Fn(nope) $Fn(lit/x.y) $Fpb(fn) $Ffnx(fn) $SUBSTR(s,2) $SUBSTR(s,2,3) $SUBSTR(s,-3)
$SUBSTR(s,0,-2) $INT(n) $INT(n,%05d) $INT(n,%x) $INT(e) $INT(2*3) $INT(7/2) $INT(-7/2) $INT(1.9)
$INT(-1.9) $INT(15%4) $REAL(n) $REAL(n,%.2f) $REAL(7/2) $REAL(7/2.0) $REAL(1.5) $REAL(n,%8.3e)
$STRING(s) $STRING(q) $CHOICE(1,a,b,c) $CHOICE(0,s) $CHOICE(1,l) $BASENAME(fn) $DIRNAME(fn)
$BASENAME(fn,.txt) $ENV(MLQ_NOPE) $ENV(MLQ_NOPE:d) $ENV(MLQ_TEST_WORD) $(nope:a$(n)b) $(s$(n))
$(n:$(s)) $(S) $(nope:) $(a.b) $(DOLLAR)x $(ClusterId) $(ProcId) $(Cluster) $(Step) $(ItemIndex)
$(Row) $INT(Cluster)x $EVAL(n) $EVAL(1+1) $( $(x $ a$b $x $UNKNOWN(x) $(n)$(n) $(bad-name)
$INT(Process,%03d) $(nope:$(nope2:z)) $(nope:$Fn(fn)) $Fn($(n))\
""",
)


@pytest.mark.parametrize(
    "text",
    [
        *WORDS,
        """ "one 'two three' ""q"" it''s" """, """ "a'b c'd" """, """ "a '' b" """,
        """ "'it''s'" """, r'one two\"x 3', "one 'two x' ", '""', "",
    ],
)  # fmt: skip
def test_macros_functions_and_arguments(htcondor: Any, folder: Path, text: str) -> None:
    assert ours(MACROS.replace("{}", text), folder) == theirs(htcondor, MACROS.replace("{}", text))


@pytest.mark.parametrize(
    "body",
    [
        "x=1\nx=$(x)2\narguments=$(x)", "y=$(x)\nx=5\narguments=$(y)",
        "x=a\nx=$(y)$(x)\ny=k\narguments=$(x)", "arguments @=end\n a b\n c\n@end",
        "arguments = long \\\n   more", "if true\narguments=T\nelse\narguments=F\nendif",
        "x=1\nif $(x)\narguments=T\nendif",
        "if defined nope\narguments=T\nelse\narguments=N\nendif",
        "if ! defined nope\narguments=N\nendif", "# arguments=x\n  arguments  =   y  ",
        "if version >= 24.0.0\narguments=new\nelse\narguments=old\nendif", "ARGUMENTS=up",
        "arguments=a\narguments=b", "environment=A=1;B=x y", "environment=A=1; B=2",
        """environment="A=1 B='x y' C=""z"" D='it''s'" """, 'environment="A=1;B=2"',
        "environment=A=1|B=2",
        'environment=" A=1   B=2 "', "environment=A= 1 ;B=", "environment=A=1;",
        "output=o.$(Cluster).$(Process)\nerror=e%$(Process)", "initialdir=run$(Process)\noutput=o",
        *(f"request_memory={size}" for size in SIZES),
        "n=3\nrequest_memory=$(n) GB", "request_cpus=4\nrequest_gpus=2",
    ],
)  # fmt: skip
def test_commands(htcondor: Any, folder: Path, body: str) -> None:
    text = f"executable = /bin/echo\n{body}\nqueue 2"
    assert ours(text, folder) == theirs(htcondor, text)


def test_the_mark_is_no_text() -> None:
    assert NUMBER == "\ufdd0"
