"""What several writers at once lead to: nobody's event is lost, doubled or decided on a stale version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from calamity_lab.errors import WrongExpectedVersion
from calamity_lab.kernel.constants import ALL, BACKWARDS, NO_STREAM
from calamity_lab.testing.demands import must_equal
from calamity_lab.testing.event_stores.on_trial import EventStoreOnTrial, read
from calamity_lab.testing.notes import NoteTaken

STREAMS = ("Shared-1", "Shared-2", "Shared-3")
WRITERS = 4
EACH = 25


class Contending(EventStoreOnTrial):
    """The demands on appends from several threads."""

    def test_writers_that_expect_a_version_never_overtake_each_other(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.subscribe(ALL, heard.append)
        writers = list(self.writers(store, WRITERS))
        with ThreadPoolExecutor(len(writers)) as threads:
            stores = list(threads.map(_write, writers, range(len(writers))))
        total = EACH * len(writers)
        store = stores[-1]
        must_equal(
            sorted(r.event.text for r in read(store)),
            sorted(f"{who} {n}" for who in range(len(writers)) for n in range(EACH)),
            "every event that was acknowledged must be there once",
        )
        must_equal(
            [r.position for r in read(store)], list(range(1, total + 1)), "positions: no gap, no double"
        )
        for stream_id in STREAMS:
            versions = [r.stream_version for r in read(store, stream_id)]
            must_equal(versions, list(range(1, len(versions) + 1)), "versions: no gap, no double")
        self.await_all(heard, total)
        must_equal([r.position for r in heard], list(range(1, total + 1)), "a subscriber must hear each once")
        for who in range(len(writers)):
            mine = [r.event.text for r in read(store) if r.event.text.startswith(f"{who} ")]
            must_equal(
                mine, [f"{who} {n}" for n in range(EACH)], "what one writer appends must stay in order"
            )
        for writer in writers:
            self.close(writer)


def _write(store: Any, who: int) -> Any:
    """Append events that each expect the version found, again until nobody came first."""
    for n in range(EACH):
        stream_id = STREAMS[(who + n) % len(STREAMS)]
        while True:
            latest = next(iter(store.stream(stream_id, direction=BACKWARDS)), None)
            expected: Any = NO_STREAM if latest is None else latest.stream_version
            try:
                store = store.append(stream_id, [NoteTaken(f"{who} {n}")], expected_version=expected)
            except WrongExpectedVersion:
                continue
            break
    return store
