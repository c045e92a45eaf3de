"""Draws what a command shows on a terminal, colours and all, as an SVG picture.

    python docs/screenshot.py COLUMNS mlq ls > docs/images/mlq-ls.svg

The pictures of the documentation are therefore real output and not drawn by hand. Only what mlq
itself prints is understood: plain text, line feeds and the colours of `mlq_cli.render.style`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from html import escape

CHARACTER_WIDTH, LINE_HEIGHT, FONT_SIZE, MARGIN = 8.43, 20, 14, 16
BACKGROUND, FOREGROUND, PROMPT = "#1b1f24", "#d5dae0", "#8b949e"
STYLES = {
    "1": "font-weight:bold",
    "2": "fill:#8b949e",
    "31": "fill:#ff7b72",
    "32": "fill:#7ee787",
    "33": "fill:#e3b341",
    "36": "fill:#79c0ff",
}
PAINTED = re.compile(r"\x1b\[(\d+)m(.*?)\x1b\[0m")


def shown_by(command: list[str], columns: int) -> str:
    """Return what a command shows on a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(command, stdout=theirs, stderr=theirs):
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 65536):
                pieces.append(piece)
        except OSError:  # what Linux says once the other end of a terminal is closed
            os.close(ours)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def spans(line: str) -> str:
    """Return one line of text as SVG, its colours as styles."""
    parts, end = [], 0
    for painted in PAINTED.finditer(line):
        parts.append(escape(line[end : painted.start()]))
        parts.append(f'<tspan style="{STYLES[painted[1]]}">{escape(painted[2])}</tspan>')
        end = painted.end()
    return "".join([*parts, escape(line[end:])])


def picture(command: list[str], shown: str, columns: int) -> str:
    """Return the SVG picture of a command and what it showed."""
    lines = [f'<tspan style="fill:{PROMPT}">$</tspan> {escape(" ".join(command))}']
    lines += [spans(line) for line in shown.rstrip("\n").split("\n")]
    width = round(columns * CHARACTER_WIDTH + 2 * MARGIN)
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    start = f'<text xml:space="preserve" x="{MARGIN}"'
    text = "\n".join(
        f'{start} y="{MARGIN + LINE_HEIGHT * number - 5}">{line}</text>'
        for number, line in enumerate(lines, 1)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}">
<style>text {{ font: {FONT_SIZE}px monospace; fill: {FOREGROUND}; white-space: pre; }}</style>
<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>
{text}
</svg>
"""


if __name__ == "__main__":
    width, words = int(sys.argv[1]), sys.argv[2:]
    sys.stdout.write(picture(words, shown_by(words, width), width))
