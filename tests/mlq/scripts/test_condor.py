import pytest

from mlq.errors import InvalidInputError
from mlq.scripts.condor import parse
from mlq.scripts.number_mark import NUMBER, with_number
from mlq.scripts.script_job import ScriptJob
from mlq.scripts.where import Edges, Where

ENVIRON = {"HOME": "/home/ada", "OMP_SCHEDULE": "static", "OMP_NUM_THREADS": "4"}
WHERE = Where("exp/sweep.sub", "/data/exp", "/home/ada", "lab01", "ada", ENVIRON)


def read(text: str, edges: Edges | None = None) -> ScriptJob:
    return parse(text, WHERE, edges)


def one(*lines: str) -> ScriptJob:
    return read("\n".join(["executable = train.sh", *lines, "queue"]))


def test_a_usual_file() -> None:
    job = read(
        """
        universe       = vanilla
        executable     = train.sh
        arguments      = "--lr $(lr) --name 'run $(Process) of $(Cluster)'"
        environment    = "SEED=$(Process) OUT=out/$(ClusterId)"
        output         = logs/$(Cluster).$(Process)_100%.out
        error          = logs/$(Cluster).$(Process).err
        log            = logs/all.log
        request_cpus   = 4
        request_memory = 2 GB
        request_gpus   = 1
        requirements   = (Memory > 4000)
        rank           = Mips
        batch_name     = rates
        max_retries    = 2
        max_materialize = 10
        queue 2 lr in (0.1, 0.3)
        """
    )
    assert (job.name, job.cores, job.mem_mib, job.gpus) == ("rates", 4, 2048, 1)
    assert (job.retries, job.max_running, job.passes_on) == (2, 10, ())
    first, *_, last = job.elements
    assert len(job.elements) == 4
    assert first.argv == ("./train.sh", "--lr", "0.1", "--name", f"run 0 of {NUMBER}")
    assert last.argv == ("./train.sh", "--lr", "0.3", "--name", f"run 3 of {NUMBER}")
    assert last.env == {"SEED": "3", "OUT": f"out/{NUMBER}"}
    assert last.cwd == "/data/exp"
    assert last.streams is not None
    assert last.streams.output == "/data/exp/logs/%A.3_100%%.out"
    assert last.streams.error == "/data/exp/logs/%A.3.err"
    assert job.notes == (
        "line 8: log has no effect",
        "line 12: requirements has no effect",
        "line 13: rank has no effect",
    )
    assert with_number(last.argv, last.env, 1042)[1] == {"SEED": "3", "OUT": "out/1042"}


def test_one_job_is_no_array() -> None:
    job = one("arguments = a b", "initialdir = run", "input = in.txt", "getenv = True")
    assert job.elements == ()
    assert (job.cwd, job.name, job.passes_on) == ("/data/exp/run", "sweep", None)
    assert job.argv[:2] == ("/bin/sh", "-c")
    assert job.argv[2] == 'exec "$0" "$@" < /data/exp/run/in.txt'
    assert job.argv[3:] == ("../train.sh", "a", "b")
    assert job.streams is None


def test_several_queue_lines_make_one_cluster() -> None:
    job = read("executable = /bin/echo\nx = 1\narguments = $(x)$(Process)\nqueue\nx = 2\nqueue 2")
    assert [one.argv for one in job.elements] == [
        ("/bin/echo", "10"),
        ("/bin/echo", "21"),
        ("/bin/echo", "22"),
    ]


def test_other_commands() -> None:
    job = one("priority = 5", "hold = true", "allowed_job_duration = 2 * 3600", "output = o")
    assert (job.priority, job.is_held, job.time_limit_s) == (5, True, 7200)
    assert job.streams is not None
    assert (job.streams.output, job.streams.error) == ("/data/exp/o", "")
    assert one("getenv = HOME, OMP_*, !OMP_NUM_THREADS").passes_on == ("HOME", "OMP_SCHEDULE")


def test_the_file_may_ask_for_lists_from_files_pipes_and_globs() -> None:
    edges = Edges(
        is_folder=lambda path: path.endswith("dir"),
        read={"/data/exp/list.txt": "# rates\n0.1, 1\n\n0.3 2 x\n"}.__getitem__,
        run={"seq 2": "1\n2\n"}.__getitem__,
        matching=lambda path: (f"{path[:-1]}a.txt", f"{path[:-1]}dir"),
    )
    head = "executable = /bin/echo\narguments = $(x) $(y) $(Item)\n"

    def args(queue: str) -> list[tuple[str, ...]]:
        job = read(head + queue, edges)
        return [element.argv[1:] for element in job.elements] or [job.argv[1:]]

    assert args("queue x, y from list.txt") == [("0.1", "1"), ("0.3", "2", "x")]
    assert args("queue x from seq 2 |") == [("1",), ("2",)]
    assert args("queue matching files *") == [("a.txt",)]
    assert args("queue x matching dirs *") == [("dir/",)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("executable = a\nuniverse = docker\nqueue", "line 2: universe: docker is not known"),
        ("executable = a\ncontainer_image = x\nqueue", "line 2: container_image cannot"),
        ("executable = a\nargumnets = x\nqueue", "perhaps you mean arguments"),
        ("executable = a\nrequest_memory = lots\nqueue", "line 2: request_memory: 'lots'"),
        (
            "executable = a\nrequest_cpus = 0\nqueue",
            "line 2: request_cpus: '0' is no number from 1",
        ),
        ('executable = a\narguments = a "b" c\nqueue', "line 2: arguments: a double quote"),
        ('executable = a\nenvironment = "A"\nqueue', "line 2: environment: 'A' sets no variable"),
        ("executable = a\nx = $(y)\ny = $(x)\narguments = $(x)\nqueue", "the macros never end"),
        ("executable = a\narguments = $$(Memory)\nqueue", "line 2: arguments: $$(Memory) cannot"),
        ("executable = a\narguments = $RANDOM_INTEGER(1,2)\nqueue", "is not done"),
        ("executable = run.$(Cluster)\nqueue", "line 1: executable: $(Cluster) cannot be part"),
        (
            "executable = a\nrequest_cpus = $(Process) + 1\nqueue 2",
            "line 2: request_cpus: all jobs",
        ),
        ("executable = a\nqueue -1", "line 2: "),
        ("executable = a\nqueue many", "line 2: 'many' is no number of jobs"),
        ("executable = a\nqueue 10000000", "line 2: queue asks for 10000000 jobs"),
        ("executable = a\nqueue x in ()", "line 2: queue finds no item"),
        ("executable = a\nqueue x in (a\nb\n", "line 2: the list of queue has no closing"),
        ("executable = a\nif true\nqueue", "an if has no endif"),
        ("executable = a\nif $(x) == 1\nendif\nqueue", "line 2: the condition '== 1' cannot"),
        ("executable = a\ninclude : other\nqueue", "line 2: include is not done"),
        ("executable = a\nwhat is this\nqueue", "line 2: 'what is this' neither sets"),
        ("executable = a\narguments @=x\na\nqueue", "line 2: the value has no end @x"),
        ("executable = a\nerror : no data\nqueue", "line 2: the file says: no data"),
        ("arguments = a\nqueue", "executable: the file names no program"),
        ("executable = a\n", "the file queues no job"),
        ("executable = \ufdd0\nqueue", "a character that Unicode keeps"),
    ],
)
def test_a_mistake_names_its_line(text: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=r"exp/sweep\.sub") as caught:
        read(text)
    assert says in str(caught.value)


def test_what_means_nothing_is_said() -> None:
    job = one(
        '+Project = "x"', "arguments = $(YEAR)", "seldom_used = 1", "should_transfer_files=NO"
    )
    assert job.notes == (
        "line 2: +Project has no effect",
        "line 5: should_transfer_files has no effect",
        "line 4: seldom_used is no command and is used nowhere",
        "sweep.sub: $(YEAR) is set nowhere, and means nothing",
    )


def test_ten_thousand_jobs_are_read_at_once() -> None:
    job = read("executable = /bin/echo\narguments = $(Process) $INT(Process,%05d)\nqueue 10000")
    assert job.elements[-1].argv == ("/bin/echo", "9999", "09999")
