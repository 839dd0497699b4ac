"""The names that a method's code mentions, with those of the methods of its own class that it calls."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import Any


def mentioned(cls: type, method: str) -> set[str]:
    """The global names and attributes that a method mentions, directly or through methods it calls."""
    found: set[str] = set()
    methods = [method]
    seen = {method}
    while methods:
        for name in _names(_code(getattr(cls, methods.pop(), None))):
            found.add(name)
            if name not in seen and _code(getattr(cls, name, None)) is not None:
                seen.add(name)
                methods.append(name)
    return found


def _code(function: Any) -> CodeType | None:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _names(code: CodeType | None) -> Iterator[str]:
    if code is None:
        return
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
