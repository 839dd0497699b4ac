"""What the callbacks of a class mention in their code: messages, and functions that they call."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import singledispatchmethod
from types import CodeType, FunctionType, ModuleType
from typing import Any

from calamity_lab.kernel.annotations import closed_over

CALLBACKS = ("execute", "apply", "interested", "handle", "handle_rejection")


def names_in(cls: type, *methods: str) -> set[str]:
    """The names in the code of these methods, and of the types that they dispatch on."""
    return {
        name for method in methods for name in _names_of_member(inspect.getattr_static(cls, method, None))
    }


def names_reached(cls: type, *methods: str) -> set[str]:
    """The names in the code of these methods, and of the methods and functions that they call."""
    return {name for member in _reached(cls, methods) for name in _names_of_member(member)}


def classes_mentioned(cls: type, *methods: str) -> Iterator[type]:
    """The classes that these methods and what they call mention, also in a module or class that they name."""
    for member in _reached(cls, methods):
        yield from _dispatched_on(member)
        for function in _functions(member):
            names = sorted(_code_names(function.__code__))
            scope = {**function.__globals__, **closed_over(function)}
            holders = [vars(cls), scope, *(_contents(scope.get(name)) for name in names)]
            found = (holder.get(name) for holder in holders for name in names)
            yield from (value for value in found if isinstance(value, type))


def _reached(cls: type, methods: tuple[str, ...]) -> list[Any]:
    """The methods, and the methods and functions of the same package that they call, nearest first."""
    reached: list[Any] = []
    waiting = [inspect.getattr_static(cls, method, None) for method in methods]
    while waiting:
        member = waiting.pop(0)
        if any(member is known for known in reached) or not any(True for _ in _functions(member)):
            continue
        reached.append(member)
        waiting.extend(_called(cls, member))
    return reached


def _called(cls: type, member: Any) -> Iterator[Any]:
    package = cls.__module__.partition(".")[0]
    for function in _functions(member):
        scope = {**function.__globals__, **closed_over(function)}
        for name in sorted(_code_names(function.__code__)):
            yield inspect.getattr_static(cls, name, None)
            called = scope.get(name)
            if isinstance(called, FunctionType) and called.__module__.partition(".")[0] == package:
                yield called
            if name == "getattr":  # a method per message, found by its name
                yield from (other for own, other in vars(cls).items() if own not in CALLBACKS)


def _functions(member: Any) -> Iterator[FunctionType]:
    if isinstance(member, singledispatchmethod):
        for registered in member.dispatcher.registry.values():
            yield from _functions(registered)
    function = getattr(member, "__func__", member)
    if isinstance(function, FunctionType):
        yield function


def _dispatched_on(member: Any) -> Iterator[type]:
    if isinstance(member, singledispatchmethod):
        yield from member.dispatcher.registry


def _names_of_member(member: Any) -> Iterator[str]:
    yield from (dispatched.__name__ for dispatched in _dispatched_on(member))
    for function in _functions(member):
        yield from _code_names(function.__code__)


def _code_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_names(constant)


def _contents(value: Any) -> dict[str, Any]:
    return dict(vars(value)) if isinstance(value, (ModuleType, type)) else {}
