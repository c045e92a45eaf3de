import pytest

from mlq.errors import InvalidInputError
from mlq.scripts.pbs import parse
from mlq.scripts.script_job import Parent, ScriptJob
from mlq.scripts.where import Edges, Where

WHERE = Where("jobs/train.pbs", "/data/exp", "/home/ada", "lab01", "ada", {"SHELL": "/bin/zsh"})


def read(*directives: str, where: Where = WHERE, edges: Edges | None = None) -> ScriptJob:
    lines = "\n".join(f"#PBS {one}" for one in directives)
    return parse(f"#!/bin/bash\n{lines}\npython train.py\n", where, edges)


def test_a_usual_script() -> None:
    job = read(
        "-N train  # the name",
        "-l select=1:ncpus=8:mem=12gb:ngpus=2:gpu_type=A100",
        "-l walltime=12:30:00",
        "-q gpu -P vision",
        "-m abe",
        "-V",
    )
    assert (job.name, job.cores, job.mem_mib, job.gpus) == ("train", 8, 12288, 2)
    assert (job.gpu_type, job.time_limit_s, job.passes_on) == ("A100", 45000, None)
    assert (job.cwd, job.argv) == ("/home/ada", ("train.pbs",))
    assert job.script.startswith("#!/bin/bash\n#PBS -N train")
    assert job.batch.system == "pbs"
    assert (job.batch.partition, job.batch.submit_dir) == ("gpu", "/data/exp")
    assert job.streams is not None
    assert (job.streams.output, job.streams.error) == (
        "/data/exp/train.o%A",
        "/data/exp/train.e%A",
    )
    assert job.notes == (
        "line 5: -q gpu has no effect",
        "line 5: -P vision has no effect",
        "line 6: -m abe has no effect",
    )


def test_without_directives_it_starts_in_the_home_folder_and_passes_nothing_on() -> None:
    job = parse("echo hello\n", WHERE)
    assert (job.name, job.cwd, job.passes_on) == ("train.pbs", "/home/ada", ())
    assert job.script == "#!/bin/zsh\necho hello\n"


def test_torque_asks_in_another_way() -> None:
    job = read("-lnodes=1:ppn=4,pmem=2gb,walltime=90", "-t 1,3-5%2", "-d /scratch", "-F 'a b'")
    assert (job.cores, job.mem_mib, job.time_limit_s, job.batch.tasks) == (4, 8192, 90, 4)
    assert (job.array, job.batch.array, job.cwd) == ("1,3-5%2", "1,3-5", "/scratch")
    assert job.argv == ("train.pbs", "a", "b")
    assert read("-l nodes=gpu01:ppn=2").machines == ("gpu01",)


@pytest.mark.parametrize(
    ("typed", "mib"),
    [("8gb", 8192), ("8g", 8192), ("512MB", 512), ("1048576kb", 1024), ("3145728", 3), ("1mw", 8)],
)
def test_sizes(typed: str, mib: int) -> None:
    assert read(f"-l mem={typed}").mem_mib == mib


def test_variables_of_a_list_are_set_or_passed_on() -> None:
    where = WHERE._replace(environ={"DATA": "/d", "OTHER": "1"})
    job = read("""-v DATA,LR=0.1,NAMES="a,b",EMPTY=""", where=where)
    assert job.env == {"LR": "0.1", "NAMES": "a,b", "EMPTY": ""}
    assert job.passes_on == ("DATA",)
    assert read("-l select=1:ncpus=4:ompthreads=2").env == {"OMP_NUM_THREADS": "2"}


def test_parents_and_waiting() -> None:
    job = read("-W depend=afterok:12:13.mlq,afternotok:14[3].mlq,block=true,umask=022", "-r n")
    assert job.parents == (
        Parent("12", "finished"),
        Parent("13", "finished"),
        Parent("14_3", "failed"),
    )
    assert job.is_waited_for
    assert not job.is_requeued
    assert job.notes == ("line 2: -W umask=022 has no effect",)
    assert read("-W depend=afterany:7[]").parents == (Parent("7", "ended"),)


@pytest.mark.parametrize(
    ("directives", "output", "error"),
    [
        (["-J 0-3"], "/data/exp/t.o%A.%a", "/data/exp/t.e%A.%a"),
        (["-j oe"], "/data/exp/t.o%A", ""),
        (["-j eo"], "/data/exp/t.e%A", ""),
        (["-o logs/", "-e /tmp/e"], "/data/exp/logs/t.o%A", "/tmp/e"),
        (["-o there"], "/data/exp/there/t.o%A", "/data/exp/t.e%A"),
        (["-o lab:/x/100%.out"], "/x/100%%.out", "/data/exp/t.e%A"),
        (["-J 0-3", "-o ^array_index^.out"], "/data/exp/%a.out", "/data/exp/t.e%A.%a"),
        (["-o $HOME/$PBS_JOBID.$X"], "/home/ada/%A.mlq.$X", "/data/exp/t.e%A"),
    ],
)
def test_files_of_the_output(directives: list[str], output: str, error: str) -> None:
    edges = Edges(is_folder=lambda path: path.endswith(("/", "there")))
    streams = read("-N t", *directives, edges=edges).streams
    assert streams is not None
    assert (streams.output, streams.error) == (output, error)


def test_other_options() -> None:
    job = read("-h", "-p 7", "-a 202612241800", "-S /bin/sh", "-l host=gpu02,place=excl")
    assert (job.is_held, job.priority, job.start) == (True, 7, "2026-12-24 18:00")
    assert job.script.startswith("#!/bin/sh\n#PBS -h\n")
    assert job.machines == ("gpu02",)
    assert job.notes == ("line 6: -l place=excl has no effect",)
    assert read("-a 0930").start == "09:30"


def test_directives_after_the_first_command_are_named() -> None:
    job = parse("#!/bin/sh\n\n# a comment\n#PBS -N a\necho\n#PBS -N b\n", WHERE)
    assert job.name == "a"
    assert job.notes == (
        "line 6: PBS reads no directive after the first command; it has no effect",
    )


@pytest.mark.parametrize(
    ("directive", "says"),
    [
        ("-l select=2:ncpus=4", "one machine: it selects 2 chunks"),
        ("-l select=1:ncpus=4+1:ncpus=2", "it selects 2 chunks"),
        ("-l nodes=2:ppn=4", "it asks for 2 nodes"),
        ("-l select=1:ncpu=4", "perhaps you mean ncpus"),
        ("-l ncpus=many", "'many' is no number"),
        ("-l walltime=soon", "'soon' is no time"),
        ("-l walltime=0", "must be more than 0"),
        ("-l mem=12zb", "'12zb' is no size"),
        ("-Y 3", "no such option"),
        ("train.py", "options begin with -"),
        ("-N", "-N needs a value"),
        ("-N 'a", "a quote has no end"),
        ("-N a'b", "a quote has no end"),
        ("-N a/b", "neither / nor spaces"),
        ("-J 9-0", "has no task"),
        ("-J all", "no array is written so"),
        ("-v NOT_SET", "is not set here"),
        ("-v 1=2", "no name of a variable"),
        ("-W depend=after:3", "'after' is not known"),
        ("-W depend=afterok:x", "'x' is no job"),
        ("-W stagein=a", "copy the files in the script"),
        ("-I", "interactive"),
        ("-a 12241800", "is no moment"),
        ("-r maybe", "neither y nor n"),
        ("-j both", "not one of"),
    ],
)
def test_a_mistake_names_its_line(directive: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=r"jobs/train\.pbs, line 3") as caught:
        read("-N ok", directive)
    assert says in str(caught.value)


def test_dos_line_ends_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="line 1: the file has DOS line ends"):
        parse("#!/bin/sh\r\n#PBS -N a\r\n", WHERE)
    with pytest.raises(InvalidInputError, match="empty"):
        parse(" \n", WHERE)
