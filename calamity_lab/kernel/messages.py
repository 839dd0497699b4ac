"""What a modeller writes besides plain classes: the target of a command, the verbs of a process manager."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from types import FrameType
from typing import Any, TypeVar

from calamity_lab.errors import InvalidModel, InvalidValue, UnresolvedTarget, repr_of
from calamity_lab.kernel.arguments import an_instance, has, is_a, refuse_unknown, wrong
from calamity_lab.kernel.frozen import repr_of_fields
from calamity_lab.kernel.identity import stored_name as name_of
from calamity_lab.kernel.schema import declared_names

C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True, repr=False)
class _OfInstance:
    """What an event means for the instance with this id."""

    id: Any

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={repr_of(self.id, None)})"


@dataclass(frozen=True, slots=True, repr=False)
class Start(_OfInstance):
    """The event starts the instance with this id, or continues it where it runs already."""


@dataclass(frozen=True, slots=True, repr=False)
class Continue(_OfInstance):
    """The event continues the instance with this id; where there is none, nothing happens."""


@dataclass(frozen=True, slots=True, repr=False)
class Stop(_OfInstance):
    """The event ends the instance with this id, without ``apply`` or ``handle``."""


@dataclass(frozen=True, slots=True, repr=False)
class Once(_OfInstance):
    """The event is answered by an instance that begins and ends with it: nothing is kept, as in a policy."""


Interest = Start | Continue | Stop | Once


@dataclass(frozen=True, slots=True, repr=False)
class After:
    """A deadline: the command is sent when that time has passed since the answered event was recorded.

    A process manager answers with it, among commands. ``name`` is by default the stored name of the command's
    class. It belongs to the instance: the same name again takes the place of the deadline before.
    """

    delay: timedelta
    command: Any
    name: str | None = None

    __repr__ = repr_of_fields

    def __post_init__(self) -> None:
        """Raise for a delay that is none, and for what is no command."""
        an_instance("After(delay)", self.delay, timedelta, "After(timedelta(minutes=15), command)")
        if self.delay < timedelta(0):
            raise InvalidValue(
                f"After(delay={self.delay!r}) lies in the past. Give a timedelta from 0 on; to send the "
                "command at once, return it without After"
            )
        _check_later(self)


@dataclass(frozen=True, slots=True, repr=False)
class At:
    """A deadline: the command is sent at that time, which has a time zone; at once if it is past.

    Otherwise it is as `After`.
    """

    time: datetime
    command: Any
    name: str | None = None

    __repr__ = repr_of_fields

    def __post_init__(self) -> None:
        """Raise for a time without a time zone, and for what is no command."""
        an_instance("At(time)", self.time, datetime, "At(datetime(2026, 3, 1, 9, tzinfo=UTC), command)")
        if self.time.utcoffset() is None:
            raise InvalidValue(
                f"At(time={self.time!r}) has no time zone, so it is not one moment. Give one, as in "
                "datetime(2026, 3, 1, 9, tzinfo=UTC)"
            )
        _check_later(self)


@dataclass(frozen=True, slots=True, repr=False)
class Cancel:
    """Takes a deadline of the instance off, by the class of its command or by its name.

    Where the instance has no such deadline nothing happens, and the step says so.
    """

    what: type | str

    __repr__ = repr_of_fields

    def __post_init__(self) -> None:
        """Raise for what names no deadline."""
        given = self.what
        if has(given, "aggregate") and not is_a(given, type):
            raise InvalidValue(
                f"Cancel({repr_of(given)}): give the class, as in Cancel({type(given).__name__}), or the "
                "name of the deadline"
            )
        if not (is_a(given, str) and given) and not (is_a(given, type) and has(given, "aggregate")):
            raise wrong("Cancel(what)", given, "the class of a command, as in Cancel(ExpireHold), or a name")

    @property
    def name(self) -> str:
        """The name of the deadline."""
        return self.what if isinstance(self.what, str) else name_of(self.what)


Later = After | At | Cancel


def deadline_name(later: After | At) -> str:
    """The name of a deadline: the one that was given, or the stored name of its command's class."""
    return later.name or name_of(type(later.command))


def _check_later(later: After | At) -> None:
    kind, command, name = type(later).__name__, later.command, later.name
    if is_a(command, type, list, tuple) and not has(command, "_fields"):
        advice = "give an object, as in ExpireHold('h1')"
        if not is_a(command, type):
            advice = f"give one command; return an {kind}(...) for each, and give each a name"
        raise InvalidValue(f"{kind}(command={repr_of(command)}): {advice}")
    if is_a(command, After, At, Cancel) or not has(command, "aggregate"):
        raise InvalidValue(
            f"{kind}(command={repr_of(command)}): this is no command, because it has no aggregate(); write "
            "it, or use @command(to=..., by=...)"
        )
    if name is not None and not (is_a(name, str) and name):
        raise wrong(f"{kind}(name)", name, "a text, as in 'payment due'")


def command(
    *misplaced: Any, to: type | str = "", by: str = "", stored_name: str = "", **unknown: Any
) -> Callable[[C], C]:
    """Give a class its ``aggregate()``: commands of it go to the aggregate type ``to``, by the field ``by``.

    ``to`` may be the class's name. It is looked up when a command needs it, so that the class may be
    defined later, and again by a cell that is run again. Give a command that you rename its earlier name as
    ``stored_name``: commands that a store has in its outbox go by this name.
    After Calamity's ``@derive {Calamity.Command, mod: ..., key: ...}``.
    """
    refuse_unknown("@command()", unknown, ("to", "by", "stored_name"))
    if misplaced or (is_a(to, str) and not to) or (is_a(by, str) and not by):
        raise InvalidModel("@command takes both by name: @command(to=BankAccount, by='account_id')")
    if not is_a(to, type, str):
        raise InvalidModel(f"@command(to={repr_of(to)}): 'to' is the aggregate's class or its name")
    if not is_a(by, str):
        raise InvalidModel(f"@command(by={repr_of(by)}): 'by' is the name of the field with the id")
    if not is_a(stored_name, str):
        raise InvalidModel(f"@command(stored_name={repr_of(stored_name)}): give a text, as in 'DepositFunds'")
    find: Callable[[Any], type] = _Class(to) if isinstance(to, type) else _Name(to, sys._getframe(1))

    def decorate(cls: C) -> C:
        an_instance("@command() of", cls, type, "@command(to=BankAccount, by='account_id') above a class")
        if not hasattr(cls, by) and by not in declared_names(cls):
            fields = ", ".join(declared_names(cls)) or "none"
            raise InvalidModel(
                f"@command(by={by!r}): {cls.__name__} has no field {by!r} (its fields: {fields})"
            )

        def aggregate(self: Any) -> tuple[type, Any]:
            """The aggregate that this command is for: its type and id."""
            return find(self), getattr(self, by)

        aggregate.find, aggregate.by = find, by  # type: ignore[attr-defined]
        cls.aggregate = aggregate  # type: ignore[attr-defined]
        if stored_name:
            cls.stored_name = stored_name  # type: ignore[attr-defined]
        return cls

    return decorate


def target_of(cls: type) -> type | str | None:
    """The class that ``@command(to=...)`` leads to now, or its name if there is none of that name.

    None for a command that has an ``aggregate()`` of its own.
    """
    find = getattr(getattr(cls, "aggregate", None), "find", None)
    return find.now() if isinstance(find, (_Class, _Name)) else None


def id_field_of(cls: type) -> str | None:
    """The field in which commands of a class have the aggregate's id, where ``@command(by=...)`` says it."""
    return getattr(getattr(cls, "aggregate", None), "by", None)


class _Class:
    """A class that was given itself."""

    __slots__ = ("_cls",)

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __call__(self, _command: Any) -> type:
        return self._cls

    def now(self) -> type:
        return self._cls


class _Name:
    """A class known by its name, where the decorator was written: in a function, or else in the module."""

    __slots__ = ("_frame", "_found", "_module", "_name")

    def __init__(self, name: str, frame: FrameType) -> None:
        self._name = name
        self._module = frame.f_globals
        # A function's names are only to be had through its frame, which is let go once the class is found.
        self._frame = None if frame.f_locals is frame.f_globals else frame
        self._found: type | None = None

    def __call__(self, command: Any) -> type:
        found = self._look()
        if isinstance(found, type):
            return found
        raise self._missing(command, found)

    def now(self) -> type | str:
        found = self._look()
        return found if isinstance(found, type) else self._name

    def _look(self) -> Any:
        found = self._found or self._module.get(self._name)
        if self._frame is not None:
            found = self._found = self._frame.f_locals.get(self._name, found)
            if isinstance(found, type):
                self._frame = None
        return found

    def _missing(self, command: Any, found: Any) -> UnresolvedTarget:
        where, name = self._module.get("__name__", "its module"), self._name
        classes = [known for known, value in self._module.items() if isinstance(value, type)]
        near = get_close_matches(name, classes, n=1)
        what = (
            "no class of that name"
            if found is None
            else f"{repr_of(found)} under that name, which is no class"
        )
        return UnresolvedTarget(
            f"{type(command).__name__}.aggregate",
            f"looks for the aggregate {name!r}, but {where} has {what}; "
            + (f"did you mean {near[0]!r}? Else " if near else "")
            + f"define it there, or give the class itself: @command(to={name}, ...)",
        )
