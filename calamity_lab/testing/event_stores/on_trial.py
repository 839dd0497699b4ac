"""An event store on trial: what differs from one to the other, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from time import sleep
from typing import Any, ClassVar

from calamity_lab.kernel.constants import ALL, FORWARDS, Direction, StreamId
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.testing.demands import wait_until
from calamity_lab.testing.notes import EVENTS
from calamity_lab.testing.on_trial import StoreOnTrial


class EventStoreOnTrial(StoreOnTrial):
    """What an adapter's own test says of an event store."""

    types = EVENTS
    # For how many seconds a subscriber that is told in the background may yet hear what it should not.
    patience: ClassVar[float] = 0.0

    def reopen(self, store: Any) -> Any:
        """The store after its process was started again; one that is not durable stays as it is."""
        return store

    def await_all(self, heard: Sequence[Any], count: int) -> None:
        """Give a subscriber the time to hear so many events, and to hear more than it should."""
        wait_until(lambda: len(heard) >= count, seconds=10)
        sleep(self.patience)


def read(
    store: Any, stream_id: StreamId = ALL, *, start: int = 0, direction: Direction = FORWARDS
) -> list[RecordedEvent]:
    """What a store tells of a stream."""
    return list(store.stream(stream_id, start_version=start, direction=direction))
