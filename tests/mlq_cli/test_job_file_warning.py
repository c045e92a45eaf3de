"""`mlq enqueue` of a job file of another batch system, whose directives would be ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq_cli.job_file_warning import job_file_warning

SLURM = "#!/bin/bash\n#SBATCH --gres=gpu:1\npython train.py\n"
PBS = "#!/bin/sh\n#PBS -l select=1\npython train.py\n"
CONDOR = "executable = train.py\nrequest_gpus = 1\nqueue 3\n"


@pytest.mark.parametrize(
    ("text", "command", "system"),
    [
        (SLURM, ["./job.sh", "a"], "Slurm"),
        (SLURM, ["job.sh"], "Slurm"),
        (SLURM, ["bash", "-e", "job.sh", "a"], "Slurm"),
        (SLURM, ["/usr/bin/python3.11", "job.sh"], "Slurm"),
        (PBS, ["sh", "job.sh"], "PBS"),
        (CONDOR, ["job.sh"], "HTCondor"),
        (SLURM + PBS, ["job.sh"], "another batch system"),
        (SLURM, ["bash", "-c", "job.sh"], ""),
        (SLURM, ["python", "train.py", "job.sh"], ""),
        (SLURM, ["echo", "job.sh"], ""),
        (SLURM, ["bash"], ""),
        ("#!/bin/sh\nqueue=3\n", ["job.sh"], ""),
        ("a queue of = things", ["job.sh"], ""),
    ],
)
def test_what_would_be_ignored_is_said(
    tmp_path: Path, text: str, command: list[str], system: str
) -> None:
    (tmp_path / "job.sh").write_text(text)
    said = job_file_warning(command, str(tmp_path))
    assert bool(said) == bool(system)
    assert f"a job file of {system}, and" in said or not said
    assert (
        said.endswith(f"mlq submit {'./job.sh' if command[0][:1] == '.' else 'job.sh'}") or not said
    )


def test_what_is_no_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for command in (["folder"], ["no"], ["a\0b"], ["x" * 5000], []):
        assert job_file_warning(command, str(tmp_path)) == ""
