"""Computes the numbers that a submit file may write as expressions: `2*1024`, `$(Process)+1`."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

from mlq.errors import InvalidInputError

_LONGEST = 200
_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def number(text: str) -> float:
    """Return the value of an expression; whole numbers are divided as in HTCondor, towards 0.

    Raises:
        InvalidInputError: it is not made of numbers, `+ - * / %` and parentheses.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError
        value = _value(ast.parse(text.strip(), mode="eval").body)
        if not math.isfinite(value):
            raise ValueError
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        raise InvalidInputError(f"{text!r} is no number that can be computed here") from None
    return value


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]  # the line above says which types
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        return _combined(node.op, _value(node.left), _value(node.right))
    raise ValueError


def _combined(operation: ast.operator, left: float, right: float) -> float:
    are_whole = isinstance(left, int) and isinstance(right, int)
    if isinstance(operation, ast.Div):
        return math.trunc(left / right) if are_whole else left / right
    if isinstance(operation, ast.Mod):
        return int(math.fmod(left, right)) if are_whole else math.fmod(left, right)
    if type(operation) not in _OPERATIONS:
        raise ValueError
    return _OPERATIONS[type(operation)](left, right)
