"""A store as it was at a position, whatever is written to it since; what was read of it is not read again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from itertools import dropwhile, takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidValue, OutOfRange
from calamity_lab.kernel.constants import ALL, BACKWARDS, FORWARDS, Direction, StreamId
from calamity_lab.kernel.recorded import RecordedEvent

_position: Callable[[RecordedEvent], int] = attrgetter("position")
_stream_version: Callable[[RecordedEvent], int] = attrgetter("stream_version")


class _Read(NamedTuple):
    """The events of a stream from a version on, up to the last that there was."""

    start: int
    events: tuple[RecordedEvent, ...]


class Past:
    """What a store held at a position. All overlays on it share what one of them has read.

    A stream that was read to its end is kept; with ALL, that is the whole history, and all its streams.
    """

    __slots__ = ("_kept", "_knows_positions", "_versions", "_whole", "base", "name_of", "position")

    def __init__(self, base: Any, position: int | None) -> None:
        for member in ("stream", "version"):
            if not callable(getattr(base, member, None)):
                raise InvalidValue(
                    f"{base!r} has no {member}(), so nothing can be laid over it; give an event store, "
                    "as in OverlayEventStore(SQLEventStore('sqlite:///bank.db', bank))"
                )
        self.base = base
        self.position = _checked(position, base.version(ALL))
        self.name_of: Callable[[type], str] = getattr(
            getattr(base, "serializer", None), "name_of", attrgetter("__name__")
        )
        self._knows_positions = "upto_position" in signature(base.stream).parameters
        self._kept: dict[StreamId, _Read] = {}
        self._versions: dict[str, int] = {}
        self._whole = self.position == 0  # whether there is nothing left to be read

    def version(self, stream_id: str) -> int:
        """The version of a stream's last event then; 0 where there was no such stream."""
        known = self._versions.get(stream_id)
        if known is None:
            last = None if self._whole else next(self._backwards(stream_id, 0), None)
            known = self._versions[stream_id] = 0 if last is None else last.stream_version
        return known

    def stream(self, stream_id: StreamId, start: int, direction: Direction) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) was at least ``start``, in that direction."""
        start = max(start, 1)
        if start > (self.position if stream_id is ALL else self.version(stream_id)):
            return iter(())
        kept = self._kept.get(stream_id)
        if kept is None or start < kept.start:
            forwards = direction is FORWARDS
            return self._remembered(stream_id, start) if forwards else self._backwards(stream_id, start)
        number = _position if stream_id is ALL else _stream_version
        events = kept.events[bisect_left(kept.events, start, key=number) :]
        return iter(events) if direction is FORWARDS else reversed(events)

    @property
    def stream_ids(self) -> Iterable[str]:
        """The streams that there were."""
        if not self._whole:
            for _ in self.stream(ALL, 1, FORWARDS):
                pass
        return [stream_id for stream_id in self._kept if stream_id is not ALL]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Past) and (self.position, self.base) == (other.position, other.base)

    def __hash__(self) -> int:
        return hash(self.position)

    def _remembered(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        """The events from the base, one by one; kept once all of them were asked for."""
        read = []
        for event in self._forwards(stream_id, start):
            read.append(event)
            yield event
        if stream_id is ALL and start == 1:
            self._keep_all(read)
        self._kept[stream_id] = _Read(start, tuple(read))

    def _keep_all(self, log: Iterable[RecordedEvent]) -> None:
        streams: dict[str, list[RecordedEvent]] = {}
        for event in log:
            streams.setdefault(event.stream_id, []).append(event)
        for stream_id, events in streams.items():
            self._kept[stream_id] = _Read(1, tuple(events))
            self._versions[stream_id] = events[-1].stream_version
        self._whole = True

    def _forwards(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        if self._knows_positions:
            return iter(self.base.stream(stream_id, start_version=start, upto_position=self.position))
        return takewhile(self._was_there, self.base.stream(stream_id, start_version=start))

    def _backwards(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        asked: dict[str, Any] = {"start_version": start, "direction": BACKWARDS}
        if self._knows_positions:
            return iter(self.base.stream(stream_id, **asked, upto_position=self.position))
        return dropwhile(lambda event: not self._was_there(event), self.base.stream(stream_id, **asked))

    def _was_there(self, event: RecordedEvent) -> bool:
        return event.position <= self.position


def _checked(position: int | None, head: int) -> int:
    """The position that was asked for, once it is clear that the store has come that far."""
    if position is None:
        return head
    if isinstance(position, bool) or not isinstance(position, int) or position < 0:
        raise InvalidValue(
            f"position={position!r}: a position is a whole number from 0 (before the first event) to {head}"
        )
    if position > head:
        raise OutOfRange(f"position={position}: the store has come to position {head} so far")
    return position
