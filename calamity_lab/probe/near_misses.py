"""Near misses: classes that are almost a part of the model, and callbacks that almost do what they should.

Each is advice in one sentence, and names what to write. Nothing is asked of the model, and only what the
source of a callback says for certain is claimed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from enum import Enum
from types import FunctionType
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel import ask
from calamity_lab.kernel.cases import calls_alone, classes_tested, functions_of, has_no_case, meaning, paths
from calamity_lab.kernel.hints import SIGNATURES, why_unfinished
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.messages import Continue, Start, Stop, target_of
from calamity_lab.kernel.schema import declared_names, fields_in, is_message_class
from calamity_lab.kernel.second_arguments import CALLBACKS, problem_of
from calamity_lab.model import Model, classes_within, defined_again, earlier_target

_NEAR_MISSES = Slot[tuple[str, ...]](most=1)
_OF_CLASS = ("new", "interested", "key")


def near_misses(model: Model) -> tuple[str, ...]:
    """What a person probably meant otherwise in the classes of a model, one sentence each."""
    return model.memo.once(_NEAR_MISSES, lambda: tuple(dict.fromkeys(_found(model))))


def commands_for(model: Model, event: type) -> tuple[type, ...]:
    """The commands that may lead to an event, as far as the source of ``execute`` says; else all commands."""
    leads = [
        command
        for command in model.commands
        for cls in model.aggregates
        if target_of(command) is cls and event in _made(cls, [command])
    ]
    return tuple(dict.fromkeys(leads)) or model.commands


def _found(model: Model) -> Iterator[str]:
    for cls in _others(model):
        yield from _almost_a_part(model, cls)
    for cls in (*model, *model.unplaced):
        yield from _earlier_parts(cls)
    for cls in model.commands:
        yield from _leads_nowhere(model, cls)
    for cls in model.aggregates:
        yield from _lacks(cls, "an aggregate", "new")
        yield from _of_shape(cls, "new", "execute", "apply")
        own = [command for command in model.commands if target_of(command) in (cls, None)]
        made = _made(cls, own)
        yield from _of_execute(model, cls, own, made)
        yield from _of_apply(cls, [each for each in made if each in model.events])
    for cls in model.projections:
        yield from _lacks(cls, "a projection", "new")
        yield from _of_shape(cls, "apply", *(["key"] if hasattr(cls, "key") else []))
    for cls in model.process_managers:
        yield from _lacks(cls, "a process manager", "new", "apply")
        yield from _of_shape(cls, "interested", "new", "apply", "handle", "handle_rejection")
        yield from _of_apply(cls, [])
        yield from _of_handle(model, cls)


def _earlier_parts(cls: type) -> Iterator[str]:
    """What a class still has of a class that was defined again: types and defaults of its fields."""
    for field in fields_in(cls):
        for part in (*classes_within(field.annotation), type(field.made_default())):
            if defined_again(part):
                yield (
                    f"the field {field.name} of {cls.__name__} still has the earlier {part.__name__}, which "
                    f"was defined again since: run the cell of {cls.__name__} again"
                )


def _others(model: Model) -> Iterator[type]:
    """The given classes that are no part of the model, and no base of one."""
    parts = tuple(model)
    for cls in model.given:
        is_other = issubclass(cls, (Enum, BaseException)) or getattr(cls, "_is_protocol", False)
        if not is_other and not inspect.isabstract(cls) and not any(issubclass(part, cls) for part in parts):
            yield cls


# classes that are almost a part of the model


def _almost_a_part(model: Model, cls: type) -> Iterator[str]:
    has = {name for name in SIGNATURES if callable(getattr(cls, name, None))}
    is_target = any(target_of(command) is cls for command in model.commands)
    if "handle" in has and "interested" not in has and has & {"apply", "new"}:
        yield f"{cls.__name__} has handle but no interested{_to_add(cls, 'interested')}"
    elif "interested" in has and "handle" not in has:
        yield f"{cls.__name__} has interested but no handle{_to_add(cls, 'handle')}"
    elif "apply" in has and "execute" not in has and (is_target or _is_made_by_id(cls)):
        yield f"{cls.__name__} looks like an aggregate but has no execute{_to_add(cls, 'execute')}"
    elif "execute" in has and "apply" not in has and (is_target or _is_made_by_id(cls)):
        yield f"{cls.__name__} looks like an aggregate but has no apply{_to_add(cls, 'apply')}"


def _is_made_by_id(cls: type) -> bool:
    """Whether ``new`` takes an id, as that of an aggregate does and that of a read model does not."""
    new = getattr(cls, "new", None)
    return callable(new) and ask.needs_argument(new)


def _lacks(cls: type, part: str, *names: str) -> Iterator[str]:
    for name in names:
        if not callable(getattr(cls, name, None)):
            to_add = _to_add(cls, name)
            if part == "a projection":
                to_add = to_add.replace("(cls, id)", "(cls)")
            yield f"{cls.__name__} has no {name}, which {part} needs{to_add}"


def _to_add(cls: type, name: str) -> str:
    own = [known for known in vars(cls) if callable(getattr(cls, known)) and known not in SIGNATURES]
    near = get_close_matches(name, own, n=1)
    return f": rename {near[0]} to {name}" if near else f": add `{SIGNATURES[name]}`"


def _leads_nowhere(model: Model, command: type) -> Iterator[str]:
    target, name = target_of(command), command.__name__
    known = [cls.__name__ for cls in model.aggregates]
    if target is None or target in model.aggregates:
        return
    near = get_close_matches(target if isinstance(target, str) else target.__name__, known, n=1)
    meant = f"did you mean to={near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    if target in known:
        yield (
            f"{name} goes to {target!r}, which is looked for in {command.__module__} and is not there: "
            f"import it there, or write a method aggregate(self) that returns ({target}, id)"
        )
    elif isinstance(target, str):
        yield f"{name} goes to {target!r}, and there is no such aggregate; {meant}"
    elif target.__name__ in known:
        yield earlier_target(command, target)
    elif not any(callable(getattr(target, member, None)) for member in ("execute", "apply")):
        yield f"{name} goes to {target.__name__}, which has no execute and no apply; {meant}"


# callbacks that cannot be called as they are written


def _of_shape(cls: type, *names: str) -> Iterator[str]:
    for name in names:
        member = inspect.getattr_static(cls, name, None)
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            yield from _of_function(cls, name, member, function)


def _of_function(cls: type, name: str, member: Any, function: FunctionType) -> Iterator[str]:
    called, write = f"{cls.__name__}.{name}", f"`{SIGNATURES[name]}`"
    unfinished = why_unfinished(function, name)
    if unfinished is not None:
        yield f"{called} {unfinished}"
    elif name in _OF_CLASS and isinstance(member, FunctionType) and _needs_class(function):
        yield f"{called} needs @classmethod: write {write}"
    elif name in _OF_CLASS and isinstance(member, staticmethod) and _first(function) in ("cls", "self"):
        yield f"{called} is a staticmethod that takes {_first(function)}: write {write}"
    elif name not in _OF_CLASS and isinstance(member, classmethod):
        yield f"{called} is a classmethod, so it does not know the state: write {write}"
    elif name in CALLBACKS:
        problem = problem_of(cls, name)
        yield from [] if problem is None else [problem]


def _needs_class(function: FunctionType) -> bool:
    """Whether a function of a class cannot be called on the class with an id or an event."""
    names = list(inspect.signature(function).parameters)
    return len(names) != 1 or names[0] in ("self", "cls")


def _first(function: FunctionType) -> str:
    return next(iter(inspect.signature(function).parameters), "")


# what callbacks do with commands and events


def _of_execute(model: Model, cls: type, own: list[type], made: tuple[type, ...]) -> Iterator[str]:
    called = f"{cls.__name__}.execute"
    yield from _dropped(cls, "execute", model.events, "return")
    yield from _dropped(cls, "execute", (Rejected,), "raise")
    for each in made:
        if each in model.commands:
            yield f"{called} may return {each.__name__}, which is a command: return an event"
        elif each is cls:
            yield f"{called} may return a state, {cls.__name__}: return an event; apply changes the state"
        elif issubclass(each, BaseException):
            yield f"{called} may return {each.__name__}: write `raise {each.__name__}(...)`"
    for command in own:
        if target_of(command) is cls and has_no_case(cls, command):
            yield f"{called} has no case for {command.__name__}, a command of its own"
    for tested in classes_tested(cls, "execute"):
        yield from _no_command(model, cls, tested)


def _no_command(model: Model, cls: type, tested: type) -> Iterator[str]:
    """A class for which ``execute`` has a case, and which is no command."""
    called, name = f"{cls.__name__}.execute", tested.__name__
    if any(issubclass(command, tested) for command in model.commands):
        return
    if name in {command.__name__ for command in model.commands} or defined_again(tested):
        yield (
            f"{called} has a case for an earlier {name}, which was defined again since: "
            f"run the cell of {cls.__name__} again, or reload its module"
        )
    elif is_message_class(tested) and not callable(getattr(tested, "aggregate", None)):
        by = next(iter(declared_names(tested)), "its_id_field")
        yield (
            f"{called} has a case for {name}, which is no command: "
            f'write @command(to="{cls.__name__}", by="{by}") above the class'
        )


def _of_apply(cls: type, events: list[type]) -> Iterator[str]:
    called = f"{cls.__name__}.apply"
    for function in functions_of(cls, "apply"):
        if any(_is_replace(call) for call in calls_alone(function.__code__)):
            yield f"{called} makes a new state and does not return it: write `return replace(self, ...)`"
    for event in events:
        found = paths(cls, "apply", event)
        if found is not None and found.has_no_case and found.returns_none:
            yield f"{called} has no case for {event.__name__}, an event of its own, and returns None for it"


def _of_handle(model: Model, cls: type) -> Iterator[str]:
    called = f"{cls.__name__}.handle"
    yield from _dropped(cls, "handle", model.commands, "return")
    yield from _dropped(cls, "interested", (Start, Continue, Stop), "return")
    for event in classes_tested(cls, "handle"):
        found = paths(cls, "interested", event) if event in model.events else None
        made = [] if found is None else list(found.made())
        has = f"{called} has a case for {event.__name__}, but interested"
        if made and all(each is Stop for each in made):
            yield f"{has} stops on it, so it is never called"
        elif found is not None and found.classes and found.returns_none:
            yield f"{has} returns None for it, so it is never called"


def _made(cls: type, commands: list[type]) -> tuple[type, ...]:
    """The classes of the values that ``execute`` may return."""
    ways = [paths(cls, "execute", command) for command in commands or (object,)]
    made = [each for found in ways if found is not None for each in found.made()]
    return tuple(dict.fromkeys(each for each in made if isinstance(each, type)))


def _dropped(cls: type, method: str, classes: tuple[type, ...], word: str) -> Iterator[str]:
    """Values that a callback makes in a line of their own, where they are lost."""
    for function in functions_of(cls, method):
        for call in calls_alone(function.__code__):
            made = meaning(function, call.func)
            if made in classes:
                name = made.__name__
                yield f"{cls.__name__}.{method} does not {word} its {name}: write `{word} {name}(...)`"


def _is_replace(call: ast.Call) -> bool:
    match call:
        case ast.Call(
            func=ast.Name(id="replace" | "evolve") | ast.Attribute(attr="replace" | "evolve"),
            args=[ast.Name(id="self"), *_],
        ):
            return True
    return False
