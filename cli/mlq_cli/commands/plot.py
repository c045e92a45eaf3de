"""`mlq plot`: draws what jobs measured, into a file or in the terminal."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError, StorageError
from mlq_cli.choosing import check_choice
from mlq_cli.invocation.parser import add_choice
from mlq_cli.invocation.session import open_queue, out_style, say

if TYPE_CHECKING:
    from mlq_cli.render.plots.picture import Picture

HELP = "draw what jobs measured: curves, or a metric against a parameter"
EXAMPLES = """\
  mlq plot lr --y val_loss                           in the terminal
  mlq plot lr --y val_loss --over seed --log -o loss.pdf
  mlq plot lr --y best:acc --x lr --over seed -o acc.png
  mlq plot lr --y loss --x time --smooth 0.9 -o loss.svg

A band or an error bar is one sample standard deviation. Legends name only the
parameters that vary; of more than 12 curves colours show a parameter that is a
number, else the ten best are named."""

ENDINGS = ("pdf", "svg", "png")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "draw")
    parser.add_argument(
        "--y", metavar="METRIC", help="what to draw; min:, max: and best: with --x PARAM"
    )
    parser.add_argument(
        "--x", metavar="step|time|PARAM", default="step", help="against what (default: step)"
    )
    parser.add_argument(
        "--over", metavar="PARAM[,...]", help="average jobs that differ in these only"
    )
    parser.add_argument("--log", action="store_true", help="a logarithmic y axis")
    parser.add_argument("--logx", action="store_true", help="a logarithmic x axis")
    parser.add_argument(
        "--smooth", metavar="WEIGHT", type=float, help="exponential smoothing, 0 to below 1: 0.9"
    )
    parser.add_argument("--title", metavar="TEXT", default="", help="a title above it")
    parser.add_argument("-o", "--output", metavar="FILE", help="write a .pdf, .svg or .png")
    parser.add_argument("--term", action="store_true", help="draw in the terminal, also with -o")
    parser.add_argument(
        "--yes", action="store_true", help="replace an existing file without asking"
    )


def run(args: argparse.Namespace) -> int:
    """Draw the picture."""
    check_choice(args, "plot")
    _check(args)
    ending = _ending(args.output) if args.output else ""
    from mlq_cli.plotting import picture_of

    queue = open_queue()
    picture = picture_of(queue, args, time.time())
    if ending:
        _write(picture, args.output, ending, may_replace=args.yes)
    if args.term or not ending:
        _show(picture)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.smooth is not None and not 0 <= args.smooth < 1:
        raise InvalidInputError(
            f"--smooth {args.smooth:g} cannot be used",
            why="it is the weight of the values before: from 0 to below 1",
            fix="0.9 smooths a lot",
        )
    if args.yes and not args.output:
        raise InvalidInputError("--yes needs -o", why="without a file no question is asked")


def _ending(path: str) -> str:
    """Return the ending of the file; raise InvalidInputError if no such file can be written."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in ENDINGS:
        raise InvalidInputError(
            f"-o {path}: mlq cannot draw a file of this type",
            why=f"it can be {', '.join('.' + one for one in ENDINGS)}",
        )
    folder = Path(path).expanduser().parent
    if not folder.is_dir():
        raise InvalidInputError(f"-o {path}: there is no folder {folder}", fix=f"mkdir {folder}")
    return ending


def _write(picture: Picture, path: str, ending: str, *, may_replace: bool) -> None:
    from mlq.files.layout import write_atomically
    from mlq_cli.render.plots.figure import drawn
    from mlq_cli.umask import present_umask

    file = Path(path).expanduser()
    if not may_replace:
        _allow(file, path)
    data = drawn(picture, ending)
    try:
        write_atomically(file, data, 0o666 & ~present_umask(), flush=False)
    except OSError as error:
        raise StorageError(f"cannot write {path}", why=error.strerror or str(error)) from None
    say(f"{path} is written")


def _allow(file: Path, path: str) -> None:
    """Check that the user allows a file to be replaced.

    Raises:
        InvalidInputError: the user does not allow it, or cannot be asked.
    """
    if not file.exists() and not file.is_symlink():
        return
    from mlq_cli.invocation.prompts import Asker

    asker = Asker(wanted=sys.stdin.isatty() and sys.stderr.isatty())
    if not asker.wanted or not asker.surely(f"{path} exists; write over it?"):
        raise InvalidInputError(
            f"{path} exists, and nothing was written",
            fix="name another file; or, to write over it: --yes",
        )


def _show(picture: Picture) -> None:
    from mlq_cli.render.plots.in_terminal import in_terminal

    style = out_style()
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    text = in_terminal(
        picture, style.width, colour=style.colour, unicode=encoding.startswith("utf")
    )
    sys.stdout.write(text)
