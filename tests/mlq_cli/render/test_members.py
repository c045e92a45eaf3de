"""Members of a sweep as a table."""

from datetime import UTC, datetime

from mlq.jobs.view import JobView
from mlq_cli.render.members import member_table
from mlq_cli.render.style import Style

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def member(number: int, command: str, **params: str) -> JobView:
    values = dict.fromkeys(JobView._fields) | JobView._field_defaults
    values |= {"id": f"7_{number}", "state": "queued", "command": command, "params": params}
    return JobView(**values | {"attempt": 0, "reason": ""})  # type: ignore[arg-type]


def test_members_of_two_commands_can_be_told_apart() -> None:
    jobs = [member(0, "a 1", lr="1"), member(1, "a 2", lr="2")]
    assert "COMMAND" not in member_table(jobs, '["lr"]', NOW, Style())[0]
    head, *_, last = member_table([*jobs, member(2, "b 1", lr="1")], '["lr"]', NOW, Style())
    assert "COMMAND" in head
    assert last.endswith("b 1")
