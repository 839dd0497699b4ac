"""What an append is given, looked at before a database sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from calamity_lab.errors import CommitConflict, InvalidValue
from calamity_lab.kernel.constants import ALL, ANY, NO_STREAM, STREAM_EXISTS, Expected, StreamId
from calamity_lab.kernel.event_store import checked_stream_id, dressed, listed
from calamity_lab.kernel.metadata import NOTHING
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import ProposedEvent
from calamity_lab.kernel.sources import Clock, Ids, draw, read

_FAR = 2**63 - 1
_BOUNDS = {ANY: (0, _FAR), NO_STREAM: (0, 0), STREAM_EXISTS: (1, _FAR)}


class Asked:
    """The sources of ids and times for events that come without; drawn from by one thread at a time."""

    def __init__(self, clock: Clock | Callable[[], datetime], ids: Ids | Callable[[], str]) -> None:
        self.clock = clock
        self.ids = ids
        self._lock = threading.Lock()

    def proposals(self, events: Iterable[ProposedEvent | Any]) -> list[ProposedEvent]:
        """The events with what is known of them; bare ones get ids and a time, the first is the root."""
        given = listed(events)
        if all([event.__class__ is ProposedEvent for event in given]):
            return given
        with self._lock:
            now, self.clock = read(self.clock)
            fresh, self.ids = draw(self.ids, len(given))
        return [
            dressed(event, ProposedEvent(event, id_, fresh[0], None, now, NOTHING))
            for event, id_ in zip(given, fresh, strict=True)
        ]


def bounds_of(expected: Expected) -> tuple[int, int]:
    """The lowest and the highest version at which a stream may be for an append to be let in."""
    if isinstance(expected, int) and not isinstance(expected, bool) and expected >= 0:
        return (expected, expected) if expected <= _FAR else (_FAR, _FAR)
    try:
        return _BOUNDS[expected]  # type: ignore[index]
    except (KeyError, TypeError):
        raise InvalidValue(
            f"expected_version={expected!r}: use ANY, NO_STREAM, STREAM_EXISTS or a version from 0 on"
        ) from None


def check_all(expected: Mapping[str, Expected], versions: Mapping[str, int]) -> None:
    """Raise `CommitConflict` with every stream that is not at the version expected of it.

    Of one that should exist, version 1 is told as expected.
    """
    moved = {}
    for stream_id, version in expected.items():
        low, high = bounds_of(version)
        if not low <= versions[stream_id] <= high:
            moved[stream_id] = (low, versions[stream_id])
    if moved:
        raise CommitConflict(moved)


def checked_subscription(stream_id: StreamId, subscriber: Subscriber, asked: str) -> StreamId:
    """The stream to follow, once it is clear that it can be one, and that the subscriber can be called."""
    if not callable(subscriber):
        raise InvalidValue(f"{asked} needs a callable that takes a RecordedEvent; found {subscriber!r}")
    return (
        stream_id
        if stream_id is ALL
        else checked_stream_id(stream_id, f"{asked} needs the id of a stream, or ALL")
    )
