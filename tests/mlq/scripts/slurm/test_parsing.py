"""What a Slurm script becomes; compare `man sbatch` of Slurm 22.05."""

import pytest

from mlq.errors import InvalidInputError
from mlq.scripts.script_job import Parent, ScriptJob
from mlq.scripts.slurm import parse
from mlq.scripts.slurm.reading import options_of
from mlq.scripts.where import Where

HERE = Where("run/job.sh", "/home/u/my work", host="lab01", user="u", args=("a b", "--lr=1"))


def job(*directives: str, typed: tuple[str, ...] = ()) -> ScriptJob:
    """Return what a script of these directives becomes."""
    lines = "\n".join(f"#SBATCH {one}" for one in directives)
    given, _ = options_of(typed, "sbatch")
    return parse(f"#!/bin/bash\n{lines}\n\necho $1\n", HERE, given)


def mistake(*directives: str) -> str:
    with pytest.raises(InvalidInputError) as raised:
        job(*directives)
    return str(raised.value)


def test_a_script_without_directives_is_a_job_of_one_core() -> None:
    found = job()
    assert found.streams is not None
    assert found.argv == ("job.sh", "a b", "--lr=1")
    assert (found.name, found.cores, found.gpus, found.mem_mib) == ("job.sh", 1, 0, None)
    assert found.cwd == "/home/u/my work"
    assert found.script.startswith("#!/bin/bash\n")
    assert found.streams.output == "/home/u/my work/slurm-%j.out"
    assert found.passes_on is None
    assert found.is_requeued
    assert found.notes == ()
    assert (found.batch.submit_host, found.batch.submit_dir) == ("lab01", "/home/u/my work")


@pytest.mark.parametrize(
    "directive",
    ["-c 4", "-c4", "--cpus-per-task=4", "--cpus-per-task 4", "--cpus=4 # many", "-Hc4", '-c "4"'],
)
def test_an_option_is_read_in_all_its_forms(directive: str) -> None:
    if directive == "--cpus=4 # many":
        assert "--cpus-per-gpu or --cpus-per-task" in mistake(directive)
        return
    assert job(directive).cores == 4


def test_quotes_backslashes_and_comments_are_read_as_sbatch_reads_them() -> None:
    found = job(r"-J 'a b'\ \#c -o 'x #1.out'#comment", '--comment="it\'s" --hold')
    assert found.name == "a b #c"
    assert found.streams is not None
    assert found.streams.output.endswith("/x #1.out")
    assert (found.is_held, found.comment) == (True, "it's")
    assert "line 2: the quote ' is not closed" in mistake("-J 'a")


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("90", 5400),
        ("90:30", 5430),
        ("1:30:00", 5400),
        ("2-3", 183600),
        ("2-3:30", 185400),
        ("2-3:30:15", 185415),
        ("0", None),
        ("UNLIMITED", None),
    ],
)
def test_a_time_has_six_forms(typed: str, seconds: float | None) -> None:
    assert job(f"--time={typed}").time_limit_s == seconds


@pytest.mark.parametrize(
    ("directives", "asked"),
    [
        (["-n 4 -c 2"], (8, None, 0, "")),
        (["--ntasks-per-node=3 --nodes=1 --mem-per-cpu=512"], (3, 1536, 0, "")),
        (["--mem=1500K"], (1, 2, 0, "")),
        (["--mem=2G", "--gres=gpu"], (1, 2048, 1, "")),
        (["--gres=gpu:a100:2", "--mem-per-gpu=8G"], (1, 16384, 2, "a100")),
        (["--gres=gpu:3"], (1, None, 3, "")),
        (["-G v100:2"], (1, None, 2, "v100")),
        (["--gpus-per-node=2 --cpus-per-gpu=4"], (8, None, 2, "")),
        (["--ntasks=3 --gpus-per-task=1"], (3, None, 3, "")),
        (["--gpus=4 --gpus-per-task=2 -c 3"], (6, None, 4, "")),
        (["-N 1-4 --gres=none"], (1, None, 0, "")),
    ],
)
def test_resources_are_those_of_the_whole_job(
    directives: list[str], asked: tuple[int, int | None, int, str]
) -> None:
    found = job(*directives)
    assert (found.cores, found.mem_mib, found.gpus, found.gpu_type) == asked


def test_whether_tasks_were_asked_for_is_kept() -> None:
    assert job("-c 2").batch.tasks == 0
    assert job("-n 1").batch.tasks == 1
    assert job("--gpus=4 --gpus-per-task=2").batch.tasks == 2


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("--nodes=2", "one machine"),
        ("-N 2-4", "one machine"),
        ("--ntasks=4 --ntasks-per-node=2", "one machine"),
        ("--no-such=1", "no option --no-such"),
        ("--mem=8Gigs", "a size is"),
        ("--mem=8G --mem-per-cpu=1G", "another way"),
        ("--cpus-per-task=0", "whole number"),
        ("--cpus-per-task=two", "whole number"),
        ("--time=1h", "a time is"),
        ("--gres=gpu:a100:1,gpu:v100:1", "one model"),
        ("--gpus=2 --gres=gpu:1", "another number"),
        ("--array=5-1", "no number and no range"),
        ("--dependency=aftercorr:7", "not aftercorr"),
        ("--dependency=afterok:7?afterok:8", "one of them"),
        ("--dependency=afterok:train", "no id"),
        ("--dependency=afterok", "needs the id"),
        ("--signal=USR9", "no signal is USR9"),
        ("--signal=USR1@soon", "seconds"),
        ("--open-mode=new", "append or truncate"),
        ("--input=x.txt", "no standard input"),
        ("--mem", "needs a value"),
        ("--hold=1", "takes no value"),
        ("hetjob", "several components"),
        ("--wrap=true", "cannot be another"),
        ("--nodelist=gpu[3-1]", "between brackets"),
    ],
)
def test_what_cannot_be_used_is_refused_with_file_and_line(directive: str, words: str) -> None:
    message = mistake("--job-name=x", directive)
    assert message.startswith("run/job.sh, line 3: ")
    assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("echo hello\n", "must begin with #!"),
        ("#!/bin/sh\r\necho\r\n", "line breaks of DOS"),
        ("#!/bin/sh\necho \0\n", "line 2: there is a NUL"),
    ],
)
def test_what_is_no_script_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse(text, HERE)


def test_directives_end_at_the_first_command_and_late_ones_are_named() -> None:
    text = "#!/bin/sh\n# SBATCH -c 9\n##SBATCH -c 9\n\n  # c\n#SBATCH -c 2\necho\n#SBATCH -c 3\n"
    found = parse(text, HERE)
    assert found.cores == 2
    assert [one for one in found.notes if "line 8" in one and "ignored" in one]


def test_what_has_no_effect_is_said_once() -> None:
    (note,) = job("-p gpu -A me --qos=high", "--mail-type=END --mail-user=a@b", "-C v100").notes
    assert note == (
        "--partition, --account, --qos, --mail-type, --mail-user, --constraint have no effect on"
        " mlq"
    )


def test_the_command_line_overrides_variables_and_those_the_file() -> None:
    given, rest = options_of(("-c", "8", "--job-name", "typed", "other.sh", "-c", "1"), "sbatch")
    assert rest == ("other.sh", "-c", "1")
    by_variable, _ = options_of(("--time=5", "--job-name=variable"), "SBATCH")
    text = "#!/bin/sh\n#SBATCH -c 2 -t 9 --mem=3 -J file\n"
    found = parse(text, HERE, given, by_variable)
    assert (found.cores, found.name, found.time_limit_s, found.mem_mib) == (8, "typed", 300, 3)


def test_wrapped_commands_become_a_script() -> None:
    given, _ = options_of(("--wrap", "echo 'a b'"), "sbatch")
    found = parse("", HERE._replace(file="-", args=()), given)
    assert found.script.startswith("#!/bin/sh\n")
    assert found.script.endswith("\necho 'a b'\n")
    assert (found.name, found.argv) == ("wrap", ("wrap",))


def test_dependencies() -> None:
    found = job("-d afterok:20:21_3,afterany:23,afternotok:7,singleton,8")
    assert found.parents == (
        Parent("20", "finished"),
        Parent("21_3", "finished"),
        Parent("23", "ended"),
        Parent("7", "failed"),
        Parent("8", "ended"),
    )
    assert found.is_singleton


@pytest.mark.parametrize(
    ("typed", "passes_on", "env"),
    [
        ("ALL", None, {}),
        ("NONE", (), {}),
        ("ALL,A=1", None, {"A": "1"}),
        ("HOME,A='1,2',B=", ("HOME",), {"A": "1,2", "B": ""}),
    ],
)
def test_variables(typed: str, passes_on: tuple[str, ...] | None, env: dict[str, str]) -> None:
    found = job(f'--export="{typed}"')
    assert (found.passes_on, dict(found.env)) == (passes_on, env)


@pytest.mark.parametrize(
    ("directives", "output", "error"),
    [
        ("-o %x-%5j.out", "/home/u/my work/%x-%5j.out", ""),
        ("-D /100% -o o -e /e/%t", "/100%%/o", "/e/%t"),
        ("-D sub -e e", "/home/u/my work/sub/slurm-%j.out", "/home/u/my work/sub/e"),
        (r"-o a\\%j", "/home/u/my work/a%%j", ""),
        ("--array=1 -o out -e out", "/home/u/my work/out", ""),
        ("--array=1-3", "/home/u/my work/slurm-%A_%a.out", ""),
    ],
)
def test_output(directives: str, output: str, error: str) -> None:
    streams = job(directives).streams
    assert streams is not None
    assert (streams.output, streams.error) == (output, error)


def test_the_rest() -> None:
    found = job(
        "--array=0-9,12-20:4%3 --signal=B:USR1@120 -t 10 --no-requeue --nice=50",
        "-w gpu[08-10,2],lab1 -x old --begin=now+2hours --open-mode=append --wait --parsable",
    )
    assert (found.array, found.batch.array) == ("0-9,12-20:4%3", "0-9,12-20:4")
    assert found.signal == "B:USR1@120"
    assert not found.is_requeued
    assert found.priority == -50
    assert found.machines == ("gpu08", "gpu09", "gpu10", "gpu2", "lab1")
    assert found.excluded == ("old",)
    assert found.start == "7200s"
    assert found.streams is not None
    assert found.streams.appends
    assert found.is_waited_for
    assert found.is_parsable


def test_nice_alone_is_a_hundred_and_a_signal_without_limit_has_no_time() -> None:
    found = job("--nice --signal=R:10@60 --no-requeue --requeue")
    assert (found.priority, found.signal, found.is_requeued) == (-100, "10", True)
