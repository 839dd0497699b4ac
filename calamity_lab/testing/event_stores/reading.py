"""What a stream tells: from which version on, in which direction, and in the order over all streams."""

from __future__ import annotations

from itertools import islice
from typing import Any

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.constants import ALL, BACKWARDS, FORWARDS
from calamity_lab.testing.demands import must_equal, must_raise
from calamity_lab.testing.event_stores.on_trial import EventStoreOnTrial, read
from calamity_lab.testing.notes import notes, proposed

# Where to start in a stream of five events, and the versions that are then told.
STARTS: tuple[tuple[int, list[int]], ...] = (
    (-5, [1, 2, 3, 4, 5]),
    (0, [1, 2, 3, 4, 5]),
    (1, [1, 2, 3, 4, 5]),
    (3, [3, 4, 5]),
    (5, [5]),
    (6, []),
    (10**30, []),
)


class Reading(EventStoreOnTrial):
    """The demands on ``stream``."""

    def test_start_version_is_inclusive_and_filters_before_the_order_is_turned(self, store: Any) -> None:
        store = store.append("Note-0", notes(2)).append("Note-1", notes(5)).append("Note-2", notes(2))
        for start, versions in STARTS:
            for direction, wanted in ((FORWARDS, versions), (BACKWARDS, versions[::-1])):
                must_equal(
                    [r.stream_version for r in read(store, "Note-1", start=start, direction=direction)],
                    wanted,
                    f"stream(start_version={start}, direction={direction!r}) of five events must tell these",
                )

    def test_all_streams_are_told_in_order_of_position(self, store: Any) -> None:
        for round_ in range(3):
            for name in ("Note-2", "Note-1", "Other-1"):
                store = store.append(name, notes(1, start=round_))
        positions = list(range(1, 10))
        for start in (-1, 0, 1, 4, 9, 10):
            later = [position for position in positions if position >= start]
            for direction, wanted in ((FORWARDS, later), (BACKWARDS, later[::-1])):
                must_equal(
                    [r.position for r in read(store, ALL, start=start, direction=direction)],
                    wanted,
                    f"stream(ALL, start_version={start}, direction={direction!r}) must tell these positions",
                )
        must_equal(
            [r.stream_id for r in read(store)],
            ["Note-2", "Note-1", "Other-1"] * 3,
            "stream(ALL) must tell events in the order in which they were appended",
        )

    def test_a_stream_is_told_the_same_as_part_of_all(self, store: Any) -> None:
        batch = list(proposed(notes(6)))
        store = store.append("Note-1", batch[:2]).append("Note-2", batch[2:5]).append("Note-1", batch[5:])
        for name in ("Note-1", "Note-2"):
            must_equal(
                read(store, name),
                [r for r in read(store) if r.stream_id == name],
                f"stream({name!r}) must tell the same records as stream(ALL)",
            )

    def test_a_stream_that_is_not_there_is_empty(self, store: Any) -> None:
        must_equal(read(store), [], "a new store must be empty")
        store = store.append("Note-1", notes(1))
        for direction in (FORWARDS, BACKWARDS):
            must_equal(read(store, "Note-9", direction=direction), [], "an unknown stream must be empty")

    def test_reading_changes_nothing(self, store: Any) -> None:
        store = store.append("Note-1", notes(3))
        must_equal(read(store), read(store), "the same question must have the same answer")

    def test_what_cannot_be_read_is_refused(self, store: Any) -> None:
        for stream_id in (None, "", 5, b"Note-1"):
            with must_raise(InvalidValue, f"stream({stream_id!r}) must raise InvalidValue"):
                read(store, stream_id)  # type: ignore[arg-type]
        for direction in ("backwards", None, 1):
            with must_raise(InvalidValue, f"stream(direction={direction!r}) must raise InvalidValue"):
                read(store, direction=direction)  # type: ignore[arg-type]

    def test_a_reader_that_stops_halfway_is_in_nobodys_way(self, store: Any) -> None:
        store = store.append("Note-1", notes(300))
        reading = iter(store.stream(ALL))
        begun = list(islice(reading, 3))
        store = store.append("Note-1", notes(2), expected_version=300)
        must_equal(len(read(store)), 302, "an append must go on while somebody is reading")
        positions = [r.position for r in (*begun, *reading)][:300]
        must_equal(positions, list(range(1, 301)), "a reader must miss nothing while somebody appends")

    def test_what_was_recorded_is_there_after_the_store_was_opened_again(self, store: Any) -> None:
        store = store.append("Note-1", list(proposed(notes(3)))).append("Note-2", notes(2))
        before = read(store)
        again = self.reopen(store)
        must_equal(read(again), before, "a store that is opened again must tell what it told before")
        again = again.append("Note-1", notes(1), expected_version=3)
        must_equal(
            (read(again)[-1].stream_version, read(again)[-1].position),
            (4, 6),
            "a store that is opened again must go on where it was",
        )
        self.close(again)
