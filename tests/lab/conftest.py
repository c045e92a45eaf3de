"""Fixtures of the lab in a box, and the table of figures at the end of a run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Iterator

import pytest
from campus import Campus, new_campus
from debian_tree import Say
from figures import Figures, NewScenario, Scenario, table

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
    """A word about what takes long, past pytest's capture; from any thread."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    one_at_a_time = threading.Lock()

    def say(line: str) -> None:
        with one_at_a_time, capture.global_and_fixture_disabled():
            print(line, file=sys.stderr, flush=True)

    return say


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
