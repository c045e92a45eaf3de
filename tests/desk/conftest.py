"""Fixtures of the virtual machine, and the table of figures at the end of a run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from shutil import which

import pytest
from box import search_path
from ci import require
from saying import Say, saying

from desk.image import TOOLS, Image, desk_image
from desk.lab import Lab
from desk.seat import Seat
from desk.vm import Inputs, Vm

_FIGURES = pytest.StashKey[list[tuple[str, str, str]]]()

Figure = Callable[[str, object, str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder: only `make desk` runs them, and booting takes its time."""
    for item in items:
        if "tests/desk/" in item.path.as_posix():
            item.add_marker(pytest.mark.desk)
            item.add_marker(pytest.mark.timeout(1800 + item.config.getoption("still_s")))
    items.sort(key=lambda item: "ps2" in item.name)  # each kind of machine boots once


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """See `saying`."""
    return saying(request.config)


@pytest.fixture(scope="session")
def image(say: Say) -> Image:
    """The disk, built by the first test that asks."""
    require(os.geteuid() == 0, "root, to build the disk of a virtual machine")
    for tool in TOOLS:
        have = which(tool, path=search_path())
        require(have, f"{tool} (Debian: qemu-system-x86, qemu-utils, mmdebstrap, e2fsprogs)")
    try:
        return desk_image(say)
    except subprocess.CalledProcessError as error:
        require(False, f"a Debian cannot be built here: {error}")
        raise


@pytest.fixture(scope="session")
def boot(image: Image, say: Say) -> Iterator[Callable[[Inputs], Vm]]:
    """Boot a machine with such a keyboard and mouse; the one before is switched off."""
    running: list[Vm] = []

    def boot(inputs: Inputs) -> Vm:
        if running and running[0].inputs == inputs:
            return running[0]
        while running:
            running.pop().switch_off()
        say(f"booting a machine with keyboard and mouse on {inputs}: about 40 s")
        running.append(Vm(image, inputs))
        running[0].until_up()
        Seat(running[0]).until("greeter")
        return running[0]

    yield boot
    for vm in running:
        vm.switch_off()


@pytest.fixture(scope="session")
def new_lab() -> Callable[[Vm], Lab]:
    """Return the mlq of a machine, installed when it is first asked for."""
    return cache(Lab)


@pytest.fixture
def vm(boot: Callable[[Inputs], Vm]) -> Vm:
    """A machine with USB keyboard and mouse, at its login screen."""
    return boot("usb")


@pytest.fixture
def seat(vm: Vm) -> Seat:
    """The desk of that machine."""
    return Seat(vm)


@pytest.fixture
def lab(vm: Vm, new_lab: Callable[[Vm], Lab]) -> Lab:
    """The mlq of that machine."""
    return new_lab(vm)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Note a figure for the table at the end: what, how much, and what was asked for."""

    def note(what: str, measured: object, wanted: str) -> None:
        found = request.config.stash.setdefault(_FIGURES, [])
        found.append((what, str(measured), wanted))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    found = terminalreporter.config.stash.get(_FIGURES, [])
    if found:
        terminalreporter.section("the desk, on an emulated machine")
        rows = [("figure", "measured", "wanted"), *found]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
