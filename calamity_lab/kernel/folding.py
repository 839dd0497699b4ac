"""The one fold: states from events, and what an event does to a process manager instance.

Whoever needs a state that is not at hand makes it here: the stores as values, recovery, an attached lab, the
tables, the state "as of" a version, the history of a field. A stream id is a text; `identity_in` gives the id
back in the type that the class's ``new`` takes::

    identity = identity_in(BankAccount, "BankAccount-7")   # Identity(BankAccount, 7) where new takes an int
    state = fold(begun(identity), events)                  # the aggregate after these events
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, StrEnum
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from calamity_lab.errors import InvalidModel, ModelError
from calamity_lab.kernel import ask
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import Interest, Start, Stop
from calamity_lab.kernel.schema import field_names

# What a class has that stands for events of which the class is not known, as a store reads them.
UNKNOWN = "__calamity_unknown__"


class Verb(StrEnum):
    """What an event does to a process manager instance."""

    STARTED = "started"
    CONTINUED = "continued"
    STOPPED = "stopped"
    IGNORED = "ignored"


_STARTED, _CONTINUED, _STOPPED, _IGNORED = Verb.STARTED, Verb.CONTINUED, Verb.STOPPED, Verb.IGNORED


class Reacted(NamedTuple):
    """What an event did to an instance: the verb, the instance after it, and the commands that it sends.

    ``after`` is None where there is no instance afterwards.
    """

    verb: Verb
    after: Any
    commands: tuple[Any, ...] = ()


def begun(identity: Identity) -> Any:
    """The aggregate or process manager instance before its first event."""
    return ask.new(identity.type, identity.id)


def fold(state: Any, events: Iterable[Any]) -> Any:
    """The state after all the events of a history, in order.

    Raises `ModelError` for an event whose class is not known: without it the state would silently be wrong.
    """
    for event in events:
        if getattr(event.__class__, UNKNOWN, False) is True:
            raise ModelError(
                f"{type(state).__name__}.apply",
                f"cannot take in {event!r}: only the event's name and fields are known. Give its class to "
                "the event store, as in SQLEventStore(url, [..., TheEvent])",
            )
        state = ask.apply(state, event)
    return state


def verb_of(interest: Interest, *, is_running: bool) -> Verb:
    """What an event does to an instance: Start continues one that runs, Continue and Stop need one."""
    if not is_running:
        return _STARTED if isinstance(interest, Start) else _IGNORED
    return _STOPPED if isinstance(interest, Stop) else _CONTINUED


def react(identity: Identity, instance: Any, interest: Interest, event: Any) -> Reacted:
    """What an event does to the instance of that identity; ``instance`` is None where there is none yet."""
    verb = verb_of(interest, is_running=instance is not None)
    if verb is _IGNORED or verb is _STOPPED:
        return Reacted(verb, None)
    after = ask.apply(begun(identity) if instance is None else instance, event)
    return Reacted(verb, after, ask.handle(after, event))


def identity_in(cls: type, stream_id: str) -> Identity:
    """The identity that a stream id names, with the id in the type that the class's ``new`` takes.

    The type is the annotation of ``new``'s parameter, else that of the field with the parameter's name.
    Raises `InvalidModel` where the text is no id of the annotated type, or could be two of them.
    """
    written = Identity.parse(stream_id).id
    wanted, is_annotated = _wanted(cls)
    found = list(_read(wanted, written))
    if len(found) == 1:
        return Identity(cls, found[0])
    if not is_annotated:
        return Identity(cls, written)
    raise InvalidModel(_unreadable(cls, stream_id, written, wanted, found))


def _unreadable(cls: type, stream_id: str, written: str, wanted: Any, found: list[Any]) -> str:
    name = getattr(wanted, "__name__", None) or str(wanted)
    what = (
        f"can be read as {' and as '.join(repr(each) for each in found)}"
        if found
        else f"cannot be read as {name}"
    )
    return (
        f"{cls.__name__}.new takes an id of type {name}, but {written!r} in the stream id {stream_id!r} "
        f"{what}. Annotate the parameter of {cls.__name__}.new with the one type that the ids have"
    )


def _wanted(cls: type) -> tuple[Any, bool]:
    """The type of a class's ids, and whether ``new`` is annotated with it; str where nothing tells a type."""
    try:
        return _annotated(cls)
    except (NameError, TypeError, ValueError):  # a type that only the type checker sees tells nothing here
        return str, False


@lru_cache(maxsize=256)
def _annotated(cls: type) -> tuple[Any, bool]:
    new: Any = getattr(cls, "new", None)
    hints = get_type_hints(getattr(new, "__func__", new), include_extras=True)
    annotated = next((hint for name, hint in hints.items() if name != "return"), None)
    if annotated is not None:
        return annotated, True
    name = next(iter(inspect.signature(new).parameters), "")
    return get_type_hints(cls, include_extras=True).get(name, str), False


def _read(wanted: Any, written: str) -> Iterator[Any]:
    """Every value of a type that is written as that text, each once."""
    if wanted is str or wanted is Any or wanted is object or isinstance(wanted, TypeVar):
        yield written
    elif isinstance(wanted, type) and get_origin(wanted) is None:
        yield from _of_class(wanted, written)
    elif hasattr(wanted, "__supertype__"):  # a NewType
        yield from _read(wanted.__supertype__, written)
    elif hasattr(wanted, "__value__"):  # a type alias
        yield from _read(wanted.__value__, written)
    elif get_origin(wanted) is Annotated:
        yield from _read(get_args(wanted)[0], written)
    elif get_origin(wanted) is Literal:
        yield from (value for value in get_args(wanted) if str(value) == written)
    elif get_origin(wanted) in (Union, UnionType):
        found: list[Any] = []
        for value in (value for arm in get_args(wanted) for value in _read(arm, written)):
            if not any(type(value) is type(known) and value == known for known in found):
                found.append(value)
        yield from found


_READERS: dict[type, Callable[[str], Any]] = {
    bool: lambda written: {"True": True, "False": False}[written],
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    **{cls: cls for cls in (int, float, Decimal, UUID)},
}


def _of_class(wanted: type, written: str) -> Iterator[Any]:
    if issubclass(wanted, Enum):
        yield from _members(wanted, written)
        return
    if wanted is type(None):
        return
    for value in _made(wanted, written):
        if (written.lower() if wanted is UUID else written) in _writings(value):
            yield value


def _made(wanted: type, written: str) -> Iterator[Any]:
    """What a class makes of the text, itself or by way of its one field."""
    given: Iterable[Any] = (written,)
    names = field_names(wanted)
    if names is not None:
        if len(names) != 1:
            return
        given = _read(get_type_hints(wanted).get(names[0], str), written)
    make = _READERS.get(wanted, wanted)
    for value in given:
        with suppress(Exception):  # a foreign class refuses a text with whatever error it likes
            yield make(value)


def _writings(value: Any) -> set[str]:
    """The texts that a value is written as."""
    isoformat = getattr(value, "isoformat", None)
    return {f"{value}", *([isoformat()] if callable(isoformat) else [])}


def _members(wanted: type[Enum], written: str) -> list[Enum]:
    """The members that a text means: one that is written so, else those that have it as value or as name."""
    exact = [member for member in wanted if f"{member}" == written]
    return exact or [member for member in wanted if written in (str(member.value), member.name)]
