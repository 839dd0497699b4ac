"""Events with what is known about them: before they are recorded, and after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from calamity_lab.errors import InvalidValue, Rejected
from calamity_lab.kernel.arguments import a_mapping, a_text
from calamity_lab.kernel.frozen import FrozenValue
from calamity_lab.kernel.identity import stored_name


class Metadata(dict[str, Any]):
    """A frozen dict, so that one may be shared by all events of which the same is known."""

    __slots__ = ()

    def _refuse(self, *args: Any, **items: Any) -> NoReturn:
        raise TypeError("metadata is frozen; give it with the command: begin(stack, command, metadata={...})")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))

    def __copy__(self) -> Metadata:
        return self

    def __deepcopy__(self, memo: Any) -> Metadata:
        return self

    def __reduce__(self) -> Any:
        return Metadata, (dict(self),)


NO_METADATA = Metadata()
_METADATA = "metadata={'user': 'ada'}"

_OUR_OWN = ("command", "process_manager")  # what `of_event` writes


def of_submitted(given: Mapping[str, Any] | None) -> Metadata:
    """The metadata of a submitted command."""
    if given is None:
        return NO_METADATA
    known = a_mapping("metadata", given, _METADATA)
    for name in _OUR_OWN:
        if name in known:
            raise InvalidValue(
                f"metadata={{{name!r}: ...}}: this name is taken, because calamity_lab itself writes the "
                f"{name.replace('_', ' ')} of an event there. Choose another name"
            )
    return Metadata({a_text("metadata(name)", name, _METADATA): known[name] for name in known}) or NO_METADATA


def of_event(given: Mapping[str, Any], command_type: str, sender: str | None) -> Metadata:
    """The metadata of an event: what was given with the command, the command's type, and who sent it."""
    if not given:
        return _bare(command_type, sender)
    return Metadata({**given, **_bare(command_type, sender)})


def of_recorded(known: Mapping[str, Any]) -> Metadata:
    """The metadata that was given with the command of an event: what the event's says besides."""
    return Metadata({name: known[name] for name in known if name not in _OUR_OWN})


@lru_cache(maxsize=1024)
def _bare(command_type: str, sender: str | None) -> Metadata:
    if sender is None:
        return Metadata(command=command_type)
    return Metadata(command=command_type, process_manager=sender)


class ProposedEvent(NamedTuple):
    """An event on its way to an event store, which gives it a version and a position."""

    event: Any
    event_id: str
    correlation_id: str
    causation_id: str | None
    recorded_at: datetime
    metadata: Mapping[str, Any]

    def recorded(self, stream_id: str, version: int, position: int) -> RecordedEvent:
        """The event as it is recorded there."""
        event, event_id, correlation_id, causation_id, at, metadata = self
        name = stored_name(type(event))
        return RecordedEvent(
            event, name, event_id, stream_id, version, position, correlation_id, causation_id, at, metadata
        )


class RecordedEvent(FrozenValue, frozen=True, gc=False):
    """An event as an event store keeps it.

    ``stream_version`` counts from 1 within the stream, ``position`` from 1 over all streams.
    ``causation_id`` is the id of the command that caused it, ``correlation_id`` is shared by all that
    one submitted command caused. ``recorded_at`` is in UTC.
    """

    event: Any
    event_type: str
    event_id: str
    stream_id: str
    stream_version: int
    position: int
    correlation_id: str
    causation_id: str | None
    recorded_at: datetime
    metadata: Mapping[str, Any] = NO_METADATA


class KeptRejection(NamedTuple):
    """A rejection that changed a process manager instance, as it is kept beside the events.

    The instance took it in after the event at ``position`` and those before. ``number`` counts the rejections
    of the process manager in the order in which they were taken in. ``cause`` is the event that the rejected
    command answers.
    """

    stream_id: str
    position: int
    number: int
    command_id: str
    rejected: Rejected
    cause: RecordedEvent | None
