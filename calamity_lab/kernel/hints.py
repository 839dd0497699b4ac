"""What probably went wrong in a callback, and what to write instead: the advice in a `ModelError`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from traceback import walk_tb
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import Any

from calamity_lab.errors import Rejected, repr_of
from calamity_lab.errors.tracebacks import Place, places_of, raised_by_statement
from calamity_lab.kernel.cases import source_of

SIGNATURES = {
    "new": "@classmethod def new(cls, id)",
    "execute": "def execute(self, command)",
    "apply": "def apply(self, event)",
    "interested": "@classmethod def interested(cls, event)",
    "handle": "def handle(self, event)",
    "key": "@classmethod def key(cls, event)",
    "handle_rejection": "def handle_rejection(self, rejected)",
}
"""How each callback begins."""

UNFINISHED = (CoroutineType, GeneratorType, AsyncGeneratorType)
"""What a callback returns that is ``async def`` or has ``yield``."""

_IMPORTS = {
    **dict.fromkeys(("dataclass", "field", "replace"), "dataclasses"),
    **dict.fromkeys(("Rejected", "Start", "Continue", "Stop", "command"), "calamity_lab"),
    **dict.fromkeys(("datetime", "timedelta", "date"), "datetime"),
    "Decimal": "decimal",
}
_IS_FROZEN = re.compile(r"frozen|^immutable type|^can't set attribute|^cannot assign to field", re.IGNORECASE)
_FIELD = re.compile(r"field '(\w+)'|\.(\w+)\s*[-+*/|&]?=")


def why_unfinished(callback: Any, method: str) -> str | None:
    """What is wrong with a callback that does not return its answer; None for one that does."""
    function = getattr(callback, "__func__", callback)
    if inspect.iscoroutinefunction(function):
        return f"is `async def`, and nobody awaits it: write `{SIGNATURES.get(method, 'def')}`"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "has `yield`, which makes it a generator: return a list instead"
    return None


def let_go(answer: Any) -> None:
    """End a coroutine that nobody awaits, so that Python does not warn of it as well."""
    if isinstance(answer, CoroutineType):
        answer.close()


def advice_on(error: Exception, method: str) -> str:
    """What to write instead of the line that raised an error; empty where nobody knows."""
    said = next(_hints(method, error), "")
    return said and f"; {said}"


def _hints(method: str, error: Exception) -> Iterator[str]:
    if _IS_FROZEN.search(f"{error}" if type(error) is AttributeError else f"{type(error).__name__} {error}"):
        places = places_of(error)
        found = _FIELD.search(f"{error}") or _FIELD.search(places[-1].source if places else "")
        field = next(filter(None, found.groups()), "field") if found else "field"
        if method == "apply":
            yield f"return a new state instead: `return replace(self, {field}=...)`"
        else:
            yield "change nothing here: return an event, and let apply return `replace(self, ...)`"
    if isinstance(error, Rejected):
        yield "only execute rejects a command: return None where there is nothing to do"
    if method == "execute" and not isinstance(error, NotImplementedError) and raised_by_statement(error):
        reason = repr_of(f"{error}" or "reason", 60)
        yield f"to reject the command, write `raise Rejected({reason})`"
    if isinstance(error, NameError) and error.name in _IMPORTS:
        yield f"write `from {_IMPORTS[error.name]} import {error.name}` above the class"
    elif isinstance(error, NameError) and error.name:
        yield from _near(error.name, *_names_around(error))
    if isinstance(error, AttributeError) and error.name:
        yield from _near(error.name, dir(type(error.obj)), getattr(error.obj, "__dict__", ()))


def _names_around(error: BaseException) -> Iterator[Any]:
    """The names that the line which raised an error could use."""
    for frame, _ in list(walk_tb(error.__traceback__))[-1:]:
        yield from (frame.f_locals, frame.f_globals)


def _near(name: str, *known: Any) -> Iterator[str]:
    near = get_close_matches(
        name, [each for names in known for each in names if not each.startswith("_")], n=1
    )
    yield from (f"did you mean {each!r}?" for each in near)


def see(callback: Any, changed: str = "") -> str:
    """Where to look for a callback that answers wrongly, as in ". See cell In [3], line 17".

    ``changed`` is a field that it changes in place: then this line is meant, if there is only one.
    """
    function = getattr(callback, "__func__", callback)
    if not isinstance(function, FunctionType):
        return ""
    code = function.__code__
    lines = [code.co_firstlineno + line - 1 for line in _lines_that_change(function, changed)]
    return f". See {Place(code, lines[0] if len(set(lines)) == 1 else code.co_firstlineno)}"


def _lines_that_change(function: Callable[..., Any], changed: str) -> Iterator[int]:
    source = source_of(function.__code__) if changed else None
    for node in () if source is None else ast.walk(source):
        match node:
            case ast.Assign(targets=targets):
                parts: list[ast.AST] = list(targets)
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                parts = [target]
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=value))):
                parts = [value]
            case _:
                continue
        names = [each.attr for part in parts for each in ast.walk(part) if isinstance(each, ast.Attribute)]
        if changed in names:
            yield node.lineno
