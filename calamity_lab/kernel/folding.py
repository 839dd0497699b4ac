"""The one fold: states from events, and what an event does to a process manager instance.

Whoever needs a state that is not at hand makes it here: the stores as values, recovery, an attached lab, the
tables, the state "as of" a version, the history of a field. A stream id is a text; `identity_in` gives the id
back in the type that the class's ``new`` takes::

    identity = identity_in(BankAccount, "BankAccount-7")   # Identity(BankAccount, 7) where new takes an int
    state = fold(begun(identity), events)                  # the aggregate after these events
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any

from calamity_lab.errors import InvalidModel, ModelError, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.annotations import Unresolved, method_annotations
from calamity_lab.kernel.from_text import values_from_text
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.messages import Interest, Once, Start, Stop
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.schema import fields_in
from calamity_lab.kernel.second_arguments import takes_record

# An attribute of the class of events that a store cannot read as objects of their own class: what to do.
UNKNOWN = "__calamity_unknown__"


class Verb(StrEnum):
    """What an event does to a process manager instance."""

    STARTED = "started"
    CONTINUED = "continued"
    STOPPED = "stopped"
    IGNORED = "ignored"
    ANSWERED = "answered"

    @property
    def changes(self) -> bool:
        """Whether there is, or was, an instance that took the event in."""
        return self is not _IGNORED and self is not _ANSWERED


_STARTED, _CONTINUED, _STOPPED = Verb.STARTED, Verb.CONTINUED, Verb.STOPPED
_IGNORED, _ANSWERED = Verb.IGNORED, Verb.ANSWERED


def begun(identity: Identity) -> Any:
    """The aggregate or process manager instance before its first event."""
    return ask.new(identity.type, identity.id)


def fold(state: Any, events: Iterable[Any]) -> Any:
    """The state after all the events of a history, in order: `RecordedEvent`s, or bare events.

    Bare events are enough where ``apply`` takes the event only. Raises `ModelError` for an event that a store
    could not read as an object of its class: without that event the state would silently be wrong.
    """
    for event in events:
        recorded = None
        if type(event) is RecordedEvent:
            event, recorded = event.event, event
        advice = getattr(type(event), UNKNOWN, None)
        if type(advice) is str:
            raise ModelError(f"{type(state).__name__}.apply", f"cannot take in {repr_of(event)}: {advice}")
        state = ask.apply(state, event, recorded)
    return state


def states_after(state: Any, recorded: Iterable[RecordedEvent]) -> tuple[Any, ...]:
    """The state after each of these events."""
    states = []
    for each in recorded:
        state = ask.apply(state, each.event, each)
        states.append(state)
    return tuple(states)


def what_it_takes(cls: type, recorded: Iterable[RecordedEvent]) -> list[Any]:
    """What ``apply`` of a class needs of these events: the events, or the records where it takes them."""
    return list(recorded) if takes_record(cls) else [each.event for each in recorded]


def instance_of(projection: type, recorded: RecordedEvent) -> Identity | None:
    """The instance of a projection that an event is for: the one of its key, or the only one."""
    if not ask.is_keyed(projection):
        return Identity.alone(projection)
    key = ask.key(projection, recorded.event, recorded)
    return None if key is None else identify(projection, key)


def projected(identity: Identity, instance: Any, recorded: RecordedEvent) -> Any:
    """The instance of a projection after an event; ``instance`` is None where there is none yet."""
    before = ask.new_projection(identity.type, identity.id) if instance is None else instance
    return ask.apply(before, recorded.event, recorded)


def is_unknown(event: Any) -> bool:
    """Whether a store could not read an event as an object of its class: no projection is given it."""
    return type(getattr(type(event), UNKNOWN, None)) is str


def verb_of(interest: Interest, *, is_running: bool) -> Verb:
    """What an event does to an instance: Start continues one that runs, Continue and Stop need one."""
    if not is_running:
        if isinstance(interest, Start):
            return _STARTED
        return _ANSWERED if isinstance(interest, Once) else _IGNORED
    if isinstance(interest, Stop):
        return _STOPPED
    return _ANSWERED if isinstance(interest, Once) else _CONTINUED


def taken_in(
    identity: Identity, instance: Any, interest: Interest, recorded: RecordedEvent
) -> tuple[Verb, Any]:
    """What an event does to the instance of that identity, and the instance after it; nothing is sent."""
    verb = verb_of(interest, is_running=instance is not None)
    if verb is _STARTED or verb is _CONTINUED:
        return verb, ask.apply(begun(identity) if instance is None else instance, recorded.event, recorded)
    return verb, None


def react(
    identity: Identity, instance: Any, interest: Interest, recorded: RecordedEvent
) -> tuple[Verb, Any, tuple[Any, ...]]:
    """What an event does to an instance: the verb, the instance after it, and the commands that it sends.

    ``instance`` is None where there is none yet, and so is the one after it where there is none afterwards.
    """
    verb, after = taken_in(identity, instance, interest, recorded)
    if verb is _ANSWERED:
        return verb, None, ask.handle(begun(identity), recorded.event, recorded)
    return verb, after, () if after is None else ask.handle(after, recorded.event, recorded)


def identity_in(cls: type, stream_id: str) -> Identity:
    """The identity that a stream id names, with the id in the type that the class's ``new`` takes.

    The type is the annotation of ``new``'s parameter, else that of the field with the parameter's name.
    Raises `InvalidModel` where the text is no id of the annotated type, or could be two of them.
    """
    written = Identity.parse(stream_id).id
    wanted, is_annotated = _wanted(cls)
    found = values_from_text(wanted, written)
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


@lru_cache(maxsize=256)
def _wanted(cls: type) -> tuple[Any, bool]:
    """The type of a class's ids, and whether ``new`` is annotated with it; str if no type is known."""
    annotated = next(iter(method_annotations(cls, "new").values()), None)
    if annotated is not None and not isinstance(annotated, Unresolved):
        return annotated, True
    new: Any = getattr(cls, "new", None)
    try:
        parameter = next(iter(inspect.signature(new).parameters), "")
    except (TypeError, ValueError):  # it has no signature
        return str, False
    return next((field.annotation for field in fields_in(cls) if field.name == parameter), str), False
