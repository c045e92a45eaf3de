"""Pickles functions of the program itself, which no other process can import, with their files.

cloudpickle replaces the name of the file; then a traceback could not show where a job failed.
"""

from __future__ import annotations

import io
import types
import typing as tp
from collections import ChainMap
from pathlib import Path

_NO_FILE = "<dynamic-code>"


def dumps(value: tp.Any) -> bytes:
    """Pickle a value by cloudpickle; raise what that raises, ImportError if it is missing."""
    import cloudpickle

    usual = cloudpickle.CloudPickler.dispatch_table

    def reduced(code: types.CodeType) -> tuple[tp.Any, ...]:
        make, parts, *rest = usual[types.CodeType](code)
        # Python names the file as it was typed, from the folder where it was started.
        file = Path(code.co_filename).absolute()
        if file.is_file():
            parts = tuple(str(file) if part == _NO_FILE else part for part in parts)
        return (make, parts, *rest)

    class Pickler(cloudpickle.CloudPickler):
        dispatch_table: tp.ClassVar[tp.Any] = ChainMap({types.CodeType: reduced}, usual)

    pickled = io.BytesIO()
    Pickler(pickled).dump(value)
    return pickled.getvalue()
