"""The conformance suite for event stores: subclass it, say how your store is made, and run pytest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from calamity_lab.errors import InvalidValue, WrongExpectedVersion
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL, ANY, BACKWARDS, FORWARDS, NO_STREAM, STREAM_EXISTS
from calamity_lab.testing.event_store_appends import AppendTests, ContentTests
from calamity_lab.testing.models import CountRead, NoteTaken, PageFilled, notes, proposed
from calamity_lab.testing.suite import EventStoreSuite, must_equal, must_raise, outcome, read

# A start_version in a stream of five events, and the versions that are then read.
STARTS: tuple[tuple[int, list[int]], ...] = (
    (-5, [1, 2, 3, 4, 5]),
    (0, [1, 2, 3, 4, 5]),
    (1, [1, 2, 3, 4, 5]),
    (3, [3, 4, 5]),
    (5, [5]),
    (6, []),
    (10**30, []),
)


class ReadTests(EventStoreSuite):
    """What ``stream`` returns: from which version, in which direction, in which order."""

    def test_start_version_is_inclusive_in_both_directions(self, store: Any) -> None:
        store = store.append("Note-0", notes(2)).append("Note-1", notes(5)).append("Note-2", notes(2))
        for start, versions in STARTS:
            for direction, wanted in ((FORWARDS, versions), (BACKWARDS, versions[::-1])):
                must_equal(
                    [r.stream_version for r in read(store, "Note-1", start=start, direction=direction)],
                    wanted,
                    f"stream(start_version={start}, direction={direction!r}) of five events",
                )

    def test_all_streams_are_read_in_order_of_position(self, store: Any) -> None:
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
                    f"stream(ALL, start_version={start}, direction={direction!r}) must return these",
                )
        must_equal(
            [r.stream_id for r in read(store)],
            ["Note-2", "Note-1", "Other-1"] * 3,
            "stream(ALL) must return events in the order in which they were appended",
        )

    def test_a_stream_has_the_same_records_as_all_streams_have_of_it(self, store: Any) -> None:
        batch = list(proposed(notes(6)))
        store = store.append("Note-1", batch[:2]).append("Note-2", batch[2:5]).append("Note-1", batch[5:])
        for name in ("Note-1", "Note-2"):
            must_equal(
                read(store, name),
                [r for r in read(store) if r.stream_id == name],
                f"stream({name!r}) must return the same records as stream(ALL)",
            )

    def test_an_unknown_stream_is_empty(self, store: Any) -> None:
        must_equal(read(store), [], "a new store must be empty")
        store = store.append("Note-1", notes(1))
        for direction in (FORWARDS, BACKWARDS):
            must_equal(read(store, "Note-9", direction=direction), [], "an unknown stream must be empty")

    def test_reading_changes_nothing(self, store: Any) -> None:
        store = store.append("Note-1", notes(3))
        must_equal(read(store), read(store), "reading twice must return the same")

    def test_an_invalid_stream_id_or_direction_raises_on_reading(self, store: Any) -> None:
        for stream_id in (None, "", 5, b"Note-1"):
            with must_raise(InvalidValue, f"stream({stream_id!r}) must raise InvalidValue"):
                read(store, stream_id)  # type: ignore[arg-type]
        for direction in ("backwards", None, 1):
            with must_raise(InvalidValue, f"stream(direction={direction!r}) must raise InvalidValue"):
                read(store, direction=direction)  # type: ignore[arg-type]

    def test_a_reader_that_pauses_blocks_nobody(self, store: Any) -> None:
        store = store.append("Note-1", notes(300))
        reading = iter(store.stream(ALL))
        begun = list(islice(reading, 3))
        store = store.append("Note-1", notes(2), expected_version=300)
        must_equal(len(read(store)), 302, "an append must work while somebody is reading")
        positions = [r.position for r in (*begun, *reading)][:300]
        must_equal(positions, list(range(1, 301)), "a reader must miss nothing while somebody appends")

    def test_a_store_that_is_opened_again_has_what_was_recorded(self, store: Any) -> None:
        store = store.append("Note-1", list(proposed(notes(3)))).append("Note-2", notes(2))
        before = read(store)
        again = self.reopen(store)
        must_equal(read(again), before, "a store that is opened again must have the same events")
        again = again.append("Note-1", notes(1), expected_version=3)
        must_equal(
            (read(again)[-1].stream_version, read(again)[-1].position),
            (4, 6),
            "a store that is opened again must go on counting where it was",
        )
        self.close(again)


class SubscribeTests(EventStoreSuite):
    """What a subscriber gets: each event after the subscription, once, after the append, in order."""

    def test_a_subscriber_to_all_streams_gets_every_later_event_once_and_in_order(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.append("Note-1", notes(2)).subscribe(ALL, heard.append)
        for name in ("Note-1", "Note-2", "Other-1", "Note-1"):
            store = store.append(name, list(proposed(notes(3), seed=f"{name} {len(read(store))}")))
        self.await_all(heard, 12)
        must_equal(
            heard, read(store, start=3), "a subscriber to ALL must get these events, once each, in order"
        )

    def test_a_subscriber_to_a_stream_gets_no_other_events(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.append("Note-1", notes(1)).subscribe("Note-1", heard.append)
        store = store.append("Note-2", notes(2)).append("Note-1", notes(2)).append("Note-10", notes(1))
        store = store.append("Note-1", notes(1))
        self.await_all(heard, 3)
        must_equal(
            heard,
            read(store, "Note-1", start=2),
            "a subscriber to a stream must get the events of that stream",
        )

    def test_a_subscription_may_come_before_the_stream_and_name_an_identity(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.subscribe(Identity("Note", "1"), heard.append).append("Note-1", notes(2))
        self.await_all(heard, 2)
        must_equal(heard, read(store, "Note-1"), "a subscriber by Identity must get the whole new stream")

    def test_every_subscriber_gets_every_event(self, store: Any) -> None:
        one: list[Any] = []
        other: list[Any] = []
        all_: list[Any] = []
        store = store.subscribe("Note-1", one.append).subscribe("Note-1", other.append)
        store = store.subscribe(ALL, all_.append).append("Note-1", notes(2))
        for heard in (one, other, all_):
            self.await_all(heard, 2)
            must_equal(heard, read(store), "every subscriber must get every event")

    def test_a_subscriber_that_subscribes_twice_gets_each_event_once(self, store: Any) -> None:
        twice: list[Any] = []
        both: list[Any] = []
        store = store.subscribe(ALL, twice.append).subscribe(ALL, twice.append)
        store = store.subscribe("Note-1", both.append).subscribe(ALL, both.append)
        store = store.append("Note-1", notes(2)).append("Note-2", notes(1))
        for heard in (twice, both):
            self.await_all(heard, 3)
            must_equal(heard, read(store), "a subscriber that subscribed twice must get each event once")

    def test_subscribers_get_only_what_was_recorded(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.append("Note-1", notes(1)).subscribe(ALL, heard.append)
        store = store.append("Note-1", [])
        with must_raise(WrongExpectedVersion, "the stream exists, so this append must raise"):
            store.append("Note-1", notes(2), expected_version=NO_STREAM)
        store = store.append("Note-2", notes(1))
        self.await_all(heard, 1)
        must_equal(
            heard,
            read(store, start=2),
            "a subscriber must get nothing of an append of no events or of one that raised",
        )

    def test_subscribers_get_a_large_batch_in_order(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.subscribe(ALL, heard.append).append("Note-1", notes(2000))
        self.await_all(heard, 2000)
        must_equal(
            [r.position for r in heard],
            list(range(1, 2001)),
            "a subscriber must get these events, once each, in order",
        )

    def test_an_invalid_subscription_raises(self, store: Any) -> None:
        for subscriber in ("print", None, 5):
            with must_raise(InvalidValue, f"subscribe(ALL, {subscriber!r}) must raise InvalidValue"):
                store.subscribe(ALL, subscriber)
        for stream_id in (None, "", 5):
            with must_raise(InvalidValue, f"subscribe({stream_id!r}, ...) must raise InvalidValue"):
                store.subscribe(stream_id, print)


SHARED_STREAMS = ("Shared-1", "Shared-2", "Shared-3")
WRITERS = 4
EACH = 25


class ConcurrencyTests(EventStoreSuite):
    """What several writers at once lead to: no event is lost, doubled or written at an old version."""

    def test_writers_that_expect_a_version_never_overwrite_each_other(self, store: Any) -> None:
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
            "every event that was appended must be recorded once",
        )
        must_equal(
            [r.position for r in read(store)],
            list(range(1, total + 1)),
            "positions must have no gap and no double",
        )
        for stream_id in SHARED_STREAMS:
            versions = [r.stream_version for r in read(store, stream_id)]
            must_equal(versions, list(range(1, len(versions) + 1)), "versions must have no gap and no double")
        self.await_all(heard, total)
        must_equal(
            [r.position for r in heard], list(range(1, total + 1)), "a subscriber must get each event once"
        )
        for who in range(len(writers)):
            mine = [r.event.text for r in read(store) if r.event.text.startswith(f"{who} ")]
            must_equal(
                mine, [f"{who} {n}" for n in range(EACH)], "the events of one writer must stay in order"
            )
        for writer in writers:
            self.close(writer)


def _write(store: Any, who: int) -> Any:
    """Append events, each at the version that was just read; try again when another writer was first."""
    for n in range(EACH):
        stream_id = SHARED_STREAMS[(who + n) % len(SHARED_STREAMS)]
        while True:
            latest = next(iter(store.stream(stream_id, direction=BACKWARDS)), None)
            expected: Any = NO_STREAM if latest is None else latest.stream_version
            try:
                store = store.append(stream_id, [NoteTaken(f"{who} {n}")], expected_version=expected)
            except WrongExpectedVersion:
                continue
            break
    return store


STREAMS = ("Note-1", "Note-2", "Töne-ß")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NOTES = st.builds(NoteTaken, TEXTS)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
RATIOS = st.floats(allow_nan=False, allow_infinity=False)
EVENT = st.one_of(
    NOTES,
    st.builds(CountRead, NUMBERS, st.booleans()),
    st.builds(PageFilled, st.none() | TEXTS, RATIOS, st.lists(NOTES, max_size=2).map(tuple)),
)
# An int is added to the version of the stream, so that most expected versions are right or nearly right.
EXPECTED = st.sampled_from([ANY, ANY, NO_STREAM, STREAM_EXISTS, 0, 0, 0, 1, -1, "nonsense"])
APPEND = st.tuples(st.sampled_from(STREAMS), st.lists(EVENT, max_size=4), EXPECTED)
READ = st.tuples(st.sampled_from([*STREAMS, ALL]), st.integers(-1, 9), st.sampled_from([FORWARDS, BACKWARDS]))
OPERATIONS = st.lists(APPEND | READ, min_size=1, max_size=12)


class ComparisonTests(EventStoreSuite):
    """On random series of calls, a store answers as the in-memory store does."""

    def test_a_store_answers_as_the_in_memory_store_does(self) -> None:
        self.try_examples(OPERATIONS, self._compare)

    def _compare(self, operations: list[tuple[Any, ...]]) -> None:
        store: Any = self.new_store(self.types)
        model: Any = InMemoryEventStore()
        heard: list[Any] = []
        wanted: list[Any] = []
        store, model = store.subscribe(ALL, heard.append), model.subscribe(ALL, wanted.append)
        for number, (stream_id, asked, how) in enumerate(operations):
            if isinstance(asked, int):
                must_equal(
                    read(store, stream_id, start=asked, direction=how),
                    read(model, stream_id, start=asked, direction=how),
                    f"stream({stream_id!r}, start_version={asked}, direction={how!r}) must return this",
                )
                continue
            expected = max(model.version(stream_id) + how, 0) if isinstance(how, int) else how
            events = list(proposed(asked, seed=str(number)))
            call = f"append({stream_id!r}, {asked!r}, expected_version={expected!r})"
            store, model = _both(store, model, _appending(stream_id, events, expected), call)
        must_equal(read(store), read(model), "stream(ALL) must return the same as the in-memory store")
        self.await_all(heard, len(wanted))
        must_equal(heard, wanted, "a subscriber must get what a subscriber to the in-memory store gets")
        self.close(store)


def _appending(stream_id: str, events: list[Any], expected: Any) -> Callable[[Any], Any]:
    return lambda store: store.append(stream_id, events, expected_version=expected)


def _both(store: Any, model: Any, call: Callable[[Any], Any], what: str) -> tuple[Any, Any]:
    """Both stores after the same call; an error must be the same, and leaves both as they were."""
    kinds = (WrongExpectedVersion, InvalidValue)
    wanted, problem = outcome(lambda: call(model), kinds)
    found, error = outcome(lambda: call(store), kinds)
    must_equal(_facts(error), _facts(problem), f"{what} must end as with the in-memory store")
    return (store, model) if problem is not None else (found, wanted)


def _facts(error: Exception | None) -> Any:
    if isinstance(error, WrongExpectedVersion):
        return type(error), error.stream_id, error.expected, error.actual
    return type(error)


class EventStoreConformance(
    AppendTests, ReadTests, ContentTests, SubscribeTests, ConcurrencyTests, ComparisonTests
):
    """All that an event store must do.

    Writing your own store? Subclass this suite and you get its tests::

        class TestMyEventStore(EventStoreConformance):
            def new_store(self, types):
                return MyEventStore(types)

    Stores that are values and stores that change in place both pass: the suite goes on with the store that
    each call returns. Override ``reopen`` where your store is durable, ``writers`` where several threads may
    write, ``patience`` where subscribers are called in the background, and ``close`` where your store needs
    more than its own ``close()``. After commanded's suites for its adapters (Ben Smith, MIT).
    """
