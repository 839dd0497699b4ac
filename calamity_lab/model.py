"""A model: the aggregates, commands, events and process managers of a system, found by their shape."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import CodeType, ModuleType
from typing import Any, TypeGuard, TypeVar, get_type_hints

from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.kernel.fields import field_names

T = TypeVar("T", bound=type)

_SHAPES = {
    "aggregates": ("execute", "apply"),
    "commands": ("aggregate",),
    "process_managers": ("interested", "handle"),
}
_CALLBACKS = ("execute", "apply", "interested", "handle", "handle_rejection")


@dataclass(frozen=True, slots=True)
class Model:
    """Classes by their part. ``unplaced`` are record classes of which nothing tells what they are."""

    aggregates: tuple[type, ...] = ()
    commands: tuple[type, ...] = ()
    events: tuple[type, ...] = ()
    process_managers: tuple[type, ...] = ()
    unplaced: tuple[type, ...] = ()

    @classmethod
    def find(cls, namespace: Mapping[str, Any] | ModuleType) -> Model:
        """The model in a module or a notebook's namespace."""
        return cls.of(_classes(namespace))

    @classmethod
    def of(cls, classes: Iterable[type]) -> Model:
        """The model that these classes make up, each placed by its shape.

        A process manager has ``interested``, ``apply`` and ``handle``; an aggregate ``execute`` and
        ``apply``; a command ``aggregate()``; an event is a record that their callbacks name and that is
        no part of another message. Messages that the callbacks name need not be given.
        """
        given = tuple(dict.fromkeys(classes))
        found = tuple(dict.fromkeys([*given, *(m for c in given for m in _mentioned(c))]))
        managers = tuple(c for c in found if _has(c, "interested", "handle"))
        aggregates = tuple(c for c in found if _has(c, "execute", "apply") and c not in managers)
        commands = tuple(c for c in found if _has(c, "aggregate") and c not in managers + aggregates)
        placed = (*managers, *aggregates, *commands)
        records = [c for c in found if c not in placed and field_names(c) is not None and not _is_other(c)]
        facts = {name for c in managers for name in _names_used(c, "interested")}
        facts |= {name for c in aggregates for name in _names_used(c, "execute") & _names_used(c, "apply")}
        named = facts | {name for c in (*managers, *aggregates) for name in _names_used(c, *_CALLBACKS)}
        parts = {part for c in (*placed, *records) for part in _field_types(c)}
        events = tuple(c for c in records if c.__name__ in facts or (c.__name__ in named and c not in parts))
        unplaced = tuple(c for c in records if c not in events and c not in parts)
        _distinct(managers)
        return cls(_distinct(aggregates), _distinct(commands), _distinct(events), managers, unplaced)

    def aggregate(self, name: str) -> type:
        """The aggregate type of that name."""
        return _named("aggregate", name, self.aggregates)

    def command(self, name: str) -> type:
        """The command type of that name."""
        return _named("command", name, self.commands)

    def process_manager(self, name: str) -> type:
        """The process manager type of that name."""
        return _named("process manager", name, self.process_managers)

    def outdated(self, *used: type) -> tuple[type, ...]:
        """The classes that a cell has defined again, and those used that are not the model's own."""
        mine = {cls.__name__: cls for cls in self}
        strangers = [cls for cls in used if mine.get(cls.__name__, cls) is not cls]
        return tuple(dict.fromkeys([*strangers, *(cls for cls in self if _defined_again(cls))]))

    def lacks(self) -> tuple[str, ...]:
        """What a class of the model still needs before it can be stepped, a sentence each."""
        return tuple(
            f"{cls.__name__} has no {member}() yet"
            for group, members in ((self.aggregates, ("new",)), (self.process_managers, ("new", "apply")))
            for cls in group
            for member in members
            if not _has(cls, member)
        )

    def __iter__(self) -> Iterator[type]:
        return iter((*self.aggregates, *self.commands, *self.events, *self.process_managers))

    def __str__(self) -> str:
        return "\n".join(
            f"{title}: {', '.join(c.__name__ for c in group) or 'none'}"
            for title, group in (
                ("aggregates", self.aggregates),
                ("commands", self.commands),
                ("events", self.events),
                ("process managers", self.process_managers),
                ("not placed", self.unplaced),
            )
            if group or title != "not placed"
        )


def assemble(
    given: ModuleType | Mapping[str, Any] | Model | None, parts: Mapping[str, Iterable[type]]
) -> Model:
    """The model that ``Lab(...)`` was given: as a module or namespace, or as classes by part."""
    if given is not None and parts:
        raise InvalidModel(f"give Lab either a module or classes, not both (found {', '.join(parts)})")
    if isinstance(given, Model):
        model = given
    elif isinstance(given, (ModuleType, Mapping)):
        model = Model.find(given)
    elif given is None:
        model = Model.of(_listed(parts))
        _check_parts(model, parts)
    else:
        raise InvalidModel(
            f"Lab() cannot find a model in {given!r}; give a module, as in Lab(bank), "
            "or classes, as in Lab(aggregates=[BankAccount])"
        )
    if not model.aggregates:
        raise InvalidModel(
            "there is no aggregate in the model: a class with new(id), execute(command) and apply(event)"
            + (f" (found only {', '.join(c.__name__ for c in model)})" if tuple(model) else "")
        )
    return model


def _listed(parts: Mapping[str, Iterable[type]]) -> list[type]:
    for part, group in parts.items():
        if isinstance(group, type) or not isinstance(group, Iterable):
            raise InvalidModel(f"{part}= takes a list of classes, as in {part}=[...]; found {group!r}")
    classes = [cls for group in parts.values() for cls in group]
    for cls in classes:
        if not isinstance(cls, type):
            raise InvalidModel(f"a model is made of classes; found {cls!r}")
    return classes


def _check_parts(model: Model, parts: Mapping[str, Iterable[type]]) -> None:
    """Tell a class that was given as something which it has not the shape of."""
    for part, members in _SHAPES.items():
        for cls in parts.get(part, ()):
            if cls not in getattr(model, part):
                lacks = " and no ".join(name for name in members if not _has(cls, name))
                raise InvalidModel(f"{cls.__name__} was given among {part}, but has no {lacks}")


def _home(cls: type) -> str:
    """Where a class is from, and of what fields: so that two of one name can be told apart."""
    return f"{cls.__module__}.{cls.__qualname__} with {', '.join(field_names(cls) or ()) or 'no fields'}"


def _defined_again(cls: type) -> bool:
    """Whether the module of a class has another class of its own under the same name by now."""
    current = getattr(sys.modules.get(cls.__module__), cls.__qualname__, cls)
    return current is not cls and getattr(current, "__module__", None) == cls.__module__


def _classes(namespace: Mapping[str, Any] | ModuleType) -> list[type]:
    """The classes that a user defined there: not what begins with an underscore, nor our own protocols."""
    items = vars(namespace) if isinstance(namespace, ModuleType) else namespace
    return [
        value
        for name, value in items.items()
        if not name.startswith("_") and _is_the_users(value) and not _is_alias(name, value, items)
    ]


def _is_alias(name: str, value: type, items: Mapping[str, Any]) -> bool:
    """Whether another class stands under the class's own name: then this is an earlier one, kept aside."""
    own = items.get(value.__name__, value)
    return name != value.__name__ and own is not value and isinstance(own, type)


def _is_the_users(value: Any) -> TypeGuard[type]:
    return isinstance(value, type) and not value.__module__.startswith(
        ("calamity_lab.kernel", "builtins", "typing")
    )


def _has(cls: type, *names: str) -> bool:
    return all(callable(getattr(cls, name, None)) for name in names)


def _is_other(cls: type) -> bool:
    return issubclass(cls, (Enum, BaseException))


def _names_used(cls: type, *methods: str) -> set[str]:
    """The global names that those callbacks of a class mention: the messages that they tell apart."""
    codes = (_code(getattr(cls, method, None)) for method in methods)
    return {name for code in codes if code is not None for name in _code_names(code)}


def _mentioned(cls: type) -> Iterator[type]:
    """The records that the callbacks of an aggregate or process manager name, as they see them."""
    if not _has(cls, "apply"):
        return
    for method in _CALLBACKS:
        bare: Any = getattr(cls, method, None)
        bare = getattr(bare, "__func__", bare)
        code = _code(bare)
        if code is None:
            continue
        scope = {**bare.__globals__, **_closed_over(bare, code)}
        for name in sorted(set(_code_names(code)) | set(code.co_freevars)):
            value = scope.get(name)
            if _is_the_users(value) and field_names(value) is not None:
                yield value


def _closed_over(function: Any, code: CodeType) -> dict[str, Any]:
    """What a function sees of the function around it; a name that is not bound yet is left out."""
    bound = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        try:
            bound[name] = cell.cell_contents
        except ValueError:
            continue
    return bound


def _code(function: Any) -> CodeType | None:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _code_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_names(constant)


def _field_types(cls: type) -> Iterator[type]:
    """The classes that stand in a class's field types, however deep: value objects, and no messages."""
    try:
        hints = get_type_hints(cls)
    except Exception:  # noqa: BLE001 - hints are the user's own text and may name what is not there; they only help
        hints = {}
    for hint in hints.values():
        yield from _within(hint)


def _within(hint: Any) -> Iterator[type]:
    if isinstance(hint, type):
        yield hint
    for part in getattr(hint, "__args__", ()):
        yield from _within(part)


def _distinct(classes: tuple[T, ...]) -> tuple[T, ...]:
    """The classes, once it is clear that no two share a name."""
    known: dict[str, T] = {}
    for cls in classes:
        other = known.setdefault(cls.__name__, cls)
        if other is not cls:
            raise InvalidModel(
                f"two classes are called {cls.__name__} ({_home(other)} and {_home(cls)}); "
                "messages and streams are told apart by the name, so rename one or leave one out"
            )
    return tuple(known.values())


def _named(part: str, name: str, classes: tuple[type, ...]) -> type:
    for cls in classes:
        if cls.__name__ == name:
            return cls
    listed = ", ".join(c.__name__ for c in classes) or "none"
    raise InvalidValue(f"there is no {part} {name!r} in the model; there are: {listed}")
