"""Fixtures of the lab in a box, and the table of figures at the end of a run."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from campus import Campus, new_campus
from figures import Figures, NewScenario, Scenario, table
from saying import Say, saying

_FOUND = pytest.StashKey[list[Figures]]()
_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know whether their test passed."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """See `saying`."""
    return saying(request.config)


@pytest.fixture
def campus(request: pytest.FixtureRequest) -> Iterator[Campus]:
    """A queue's host, a laptop and two machines whose workers run; nothing of it is left."""
    with new_campus() as campus:
        campus.start_workers()
        yield campus
        if not request.node.stash.get(_PASSED, False):
            print(campus.story())


@pytest.fixture
def scenario(campus: Campus, request: pytest.FixtureRequest) -> Iterator[NewScenario]:
    """Begin a scenario; when the test has passed, its jobs finish and its figures are noted."""
    begun: list[Scenario] = []

    def begin(fault: str) -> Scenario:
        begun.append(Scenario(campus, fault))
        return begun[-1]

    yield begin
    if request.node.stash.get(_PASSED, False):
        found = request.config.stash.setdefault(_FOUND, [])
        found += [one.end() for one in begun]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    found = terminalreporter.config.stash.get(_FOUND, [])
    if found:
        terminalreporter.section("the lab in a box")
        for line in table(found):
            terminalreporter.write_line(line)
