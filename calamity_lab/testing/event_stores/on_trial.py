"""An event store on trial: how a suite gets one, and what differs from store to store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import sleep
from typing import Any, ClassVar

import pytest

from calamity_lab.kernel.constants import ALL, FORWARDS, Direction, StreamId
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.testing.demands import wait_until
from calamity_lab.testing.notes import EVENTS


class EventStoreOnTrial:
    """What an adapter's own test says: how a store is made, and where it is not as a plain value is."""

    # For how many seconds a subscriber that is told in the background may yet hear what it should not.
    patience: ClassVar[float] = 0.0

    def new_store(self, types: tuple[type, ...]) -> Any:
        """A new, empty event store that can record events of these types."""
        raise NotImplementedError(
            f"{type(self).__name__} must say how its store is made: "
            "def new_store(self, types): return MyEventStore(...)"
        )

    def close(self, store: Any) -> None:
        """Give up what a store holds. It may have been closed before."""
        close = getattr(store, "close", None)
        if close is not None:
            close()

    def reopen(self, store: Any) -> Any:
        """The store after its process was started again; one that is not durable stays as it is."""
        return store

    def writers(self, store: Any, count: int) -> Sequence[Any]:
        """That many stores over the same events, for as many threads; one where only one may write."""
        return [store]

    @pytest.fixture
    def store(self) -> Iterator[Any]:
        """A new store, for the time of one test."""
        store = self.new_store(EVENTS)
        yield store
        self.close(store)

    def await_all(self, heard: Sequence[Any], count: int) -> None:
        """Give a subscriber the time to hear so many events, and to hear more than it should."""
        wait_until(lambda: len(heard) >= count, seconds=10)
        sleep(self.patience)


def read(
    store: Any, stream_id: StreamId = ALL, *, start: int = 0, direction: Direction = FORWARDS
) -> list[RecordedEvent]:
    """What a store tells of a stream."""
    return list(store.stream(stream_id, start_version=start, direction=direction))
