"""Draws `mlq top` as an SVG picture, from a real run: a small lab with real jobs.

    python docs/top_picture.py > docs/images/mlq-top.svg

It takes about a minute. The machines are three workers on this computer; the installation is that
of the demonstration (`examples/demo_lab.py`), in a temporary folder, and nothing of it stays. The
screen is textual's own, run without a terminal, and drawn in the colours of `docs/screenshot.py`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples")]

from demo_lab import Lab, kill  # noqa: E402
from rich.style import Style  # noqa: E402
from screenshot import (  # noqa: E402
    BACKGROUND,
    CHARACTER_WIDTH,
    FONT_SIZE,
    FOREGROUND,
    LINE_HEIGHT,
    MARGIN,
    STYLES,
)
from textual.strip import Strip  # noqa: E402

from mlq.settings.load import load  # noqa: E402
from mlq_cli.top.live import new_app  # noqa: E402

COLUMNS, ROWS = 140, 36
MACHINES = {"lab01": "2", "lab02": "2", "lab03": "2"}
DEADLINE_S, POINTS = 60.0, 25
JOBS = (
    *(
        ("-n", f"lr-{rate}", "-m", "512M", "--", "python", "train.py", "--lr", rate)
        for rate in "24"
    ),
    ("-n", "compare", "-m", "1G", "--after", "lr-2,lr-4", "--", "python", "compare.py"),
    ("-n", "big", "-g", "1", "--vram", "6G", "--", "python", "finetune.py"),
    ("-n", "typo", "-m", "512M", "--", "python", "trian.py"),
    ("-n", "rates", "-m", "512M", "--param", "lr=1.0,0.3,0.1,0.03", "--seeds", "3")
    + ("--", "python", "train.py", "{args}"),
)
COLOURS = {1: "31", 2: "32", 3: "33", 6: "36", 8: "2"}  # of a terminal, as in `STYLES`
BRAILLE = 0x2800
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each dot, in the order of the bits of a character."""


@contextmanager
def lab() -> Iterator[Lab]:
    """Start a queue, machines and jobs; end all of it afterwards."""
    private, results = (Path(tempfile.mkdtemp(prefix="mlq-")) for _ in range(2))
    made = Lab(private, results)
    made.environ |= {"TRAIN_PACE_S": "1", "MLQ_SNAPSHOT": "false", "MLQ_METRICS_S": "5"}
    for name in ("MLQ_BEAT_S", "MLQ_LEASE_S", "MLQ_FENCE_S", "MLQ_DEAD_S"):
        del made.environ[name]
    os.chdir(HERE.parent / "examples")
    try:
        quietly(made, "server", "start")
        for name, cores in MACHINES.items():
            options = ("--cores", cores, "--mem", "4G", "--gpus", "none")
            quietly(made, "worker", "start", "--name", name, *options)
        for words in JOBS:
            quietly(made, "enqueue", *words)
        yield made
    finally:
        for pid in made.processes():
            kill(pid)
        for folder in (private, results):
            shutil.rmtree(folder, ignore_errors=True)


def quietly(made: Lab, *words: str) -> None:
    """Run `mlq` in the lab; standard output is the picture's."""
    import subprocess

    done = subprocess.run(["mlq", *words], env=made.environ, capture_output=True, check=False)
    sys.stderr.buffer.write(done.stdout + done.stderr)
    done.check_returncode()


async def shown(environ: Mapping[str, str]) -> list[Strip]:
    """Return what the screen shows once the selected job has a curve."""
    app = new_app(load(environ).settings)
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        began_s = time.monotonic()
        while time.monotonic() - began_s < DEADLINE_S:
            await pilot.pause(1.0)
            strips = app.screen._compositor.render_strips()  # noqa: SLF001 - no other way to it
            if len(app.curve.values) >= POINTS:
                return strips
    raise TimeoutError("\n".join(["no curve:", *(one.text for one in strips)]))


def drawn(strips: list[Strip]) -> str:
    """Return the picture."""
    width = round(COLUMNS * CHARACTER_WIDTH + 2 * MARGIN)
    height = len(strips) * LINE_HEIGHT + 2 * MARGIN
    texts = [text for row, strip in enumerate(strips) for text in line(row, strip)]
    font = f"text {{ font: {FONT_SIZE}px monospace; fill: {FOREGROUND}; white-space: pre; }}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">',
            f"<style>{font}</style>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            *texts,
            "</svg>",
        ]
    )


def line(row: int, strip: Strip) -> Iterator[str]:
    """Yield the parts of one line, each at its own place, as fonts differ in their blocks."""
    column = 0
    for segment in strip:
        text, width = segment.text, segment.cell_length
        if text.strip():
            x = MARGIN + (column + len(text) - len(text.lstrip())) * CHARACTER_WIDTH
            y = MARGIN + LINE_HEIGHT * (row + 1) - 5
            length = len(text.strip()) * CHARACTER_WIDTH
            style = css(segment.style or Style())
            if any(BRAILLE <= ord(one) < BRAILLE + 256 for one in text):
                yield dots(text, MARGIN + column * CHARACTER_WIDTH, y, style)
                column += width
                continue
            yield (
                f'<text xml:space="preserve" x="{x:.1f}" y="{y}" textLength="{length:.1f}" '
                f'lengthAdjust="spacingAndGlyphs"{style}>{escape(text.strip())}</text>'
            )
        column += width


def dots(text: str, x: float, y: float, style: str) -> str:
    """Return a curve of Braille characters as a path, for many fonts lack them."""
    wide, high = CHARACTER_WIDTH / 2, LINE_HEIGHT / 4
    places = (
        (x + at * CHARACTER_WIDTH + (column + 0.5) * wide, y - 14 + (row + 0.5) * high)
        for at, one in enumerate(text)
        for bit, (column, row) in enumerate(DOTS)
        if ord(one) >= BRAILLE and (ord(one) - BRAILLE) >> bit & 1
    )
    path = "".join(f"M{px:.1f} {py:.1f}h0" for px, py in places)
    stroke = style.replace("fill:", "fill:none;stroke:")
    return f'<path d="{path}" stroke-width="2.4" stroke-linecap="round"{stroke}/>'


def css(style: Style) -> str:
    """Return the style of a part."""
    number = style.color.number if style.color else None
    found = [STYLES[COLOURS[number]]] if number in COLOURS else []
    if style.dim:
        found = [STYLES["2"]]
    if style.bold:
        found.append(STYLES["1"])
    return f' style="{";".join(found)}"' if found else ""


if __name__ == "__main__":
    with lab() as made:
        strips = asyncio.run(shown(made.environ))
    sys.stdout.write(drawn(strips) + "\n")
