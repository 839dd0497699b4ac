"""The part of the conformance suite for event stores about ``append``: when it writes, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from calamity_lab.errors import CalamityError, InvalidValue, WrongExpectedVersion
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL, ANY, NO_STREAM, STREAM_EXISTS
from calamity_lab.testing.models import CountRead, NoteTaken, PageFilled, notes, proposed
from calamity_lab.testing.suite import EventStoreSuite, must, must_equal, must_raise, read

# How many events a stream has, the version that an append expects, and whether the append succeeds.
EXPECTATIONS: tuple[tuple[int, Any, bool], ...] = (
    (0, ANY, True),
    (0, NO_STREAM, True),
    (0, 0, True),
    (0, STREAM_EXISTS, False),
    (0, 1, False),
    (0, 10**30, False),
    (3, ANY, True),
    (3, STREAM_EXISTS, True),
    (3, 3, True),
    (3, NO_STREAM, False),
    (3, 0, False),
    (3, 2, False),
    (3, 4, False),
    (3, 10**30, False),
)
NONSENSE: tuple[Any, ...] = (-1, True, False, 1.0, 0.5, "any", "1", None)
NO_STREAM_IDS: tuple[Any, ...] = (None, "", 5, b"Note-1", ALL)


class _Broken(Exception):
    """What the caller's own code raises while it makes events."""


class AppendTests(EventStoreSuite):
    """When an append writes, and when it raises."""

    def test_an_append_at_another_version_than_expected_writes_nothing(self, store: Any) -> None:
        for number, (before, expected, fits) in enumerate(EXPECTATIONS):
            stream_id = f"Expected-{number}"
            store = store.append(stream_id, notes(before))
            where = f"append(expected_version={expected!r}) to a stream at version {before}"
            if fits:
                store = store.append(stream_id, [CountRead(7)], expected_version=expected)
                must_equal(len(read(store, stream_id)), before + 1, f"{where} must record the event")
                continue
            everything = read(store)
            with must_raise(WrongExpectedVersion, f"{where} must raise WrongExpectedVersion") as raised:
                store.append(stream_id, [CountRead(7)], expected_version=expected)
            found = (raised[0].stream_id, raised[0].expected, raised[0].actual)
            must_equal(found, (stream_id, expected, before), f"{where} must say what it expected and found")
            must_equal(read(store), everything, f"{where} must write nothing")

    def test_an_invalid_expected_version_raises(self, store: Any) -> None:
        store = store.append("Note-1", notes(1))
        for stream_id in ("Note-1", "Note-9"):
            for expected in NONSENSE:
                where = f"append(expected_version={expected!r})"
                with must_raise(InvalidValue, f"{where} must raise InvalidValue"):
                    store.append(stream_id, notes(1), expected_version=expected)
                must_equal(len(read(store)), 1, f"{where} must write nothing")

    def test_an_append_of_nothing_writes_nothing_and_makes_no_stream(self, store: Any) -> None:
        store = store.append("Note-1", []).append("Note-1", [], expected_version=NO_STREAM)
        must_equal(read(store), [], "an append of no events must write nothing")
        with must_raise(WrongExpectedVersion, "a stream to which nothing was appended must not exist"):
            store.append("Note-1", notes(1), expected_version=STREAM_EXISTS)
        with must_raise(WrongExpectedVersion, "an append of no events must check the expected version, too"):
            store.append("Note-1", [], expected_version=2)
        store = store.append("Note-1", notes(1), expected_version=NO_STREAM)
        must_equal(len(read(store)), 1, "after an append of no events, a stream must begin as any other")

    def test_versions_count_within_a_stream_and_positions_over_all_streams(self, store: Any) -> None:
        store = store.append("Note-1", notes(2)).append("Note-2", notes(1)).append("Note-1", notes(1))
        must_equal(
            [(r.stream_id, r.stream_version, r.position) for r in read(store)],
            [("Note-1", 1, 1), ("Note-1", 2, 2), ("Note-2", 1, 3), ("Note-1", 3, 4)],
            "versions must count from 1 in each stream, positions from 1 over all, without a gap",
        )

    def test_a_stream_may_be_named_by_an_identity(self, store: Any) -> None:
        store = store.append(Identity("Note", "1"), notes(1)).append("Note-1", notes(1), expected_version=1)
        must_equal(
            [r.stream_id for r in read(store, Identity("Note", "1"))],  # type: ignore[arg-type]
            ["Note-1", "Note-1"],
            "Identity('Note', '1') and 'Note-1' must mean the same stream",
        )

    def test_an_invalid_stream_id_raises_on_append(self, store: Any) -> None:
        for stream_id in NO_STREAM_IDS:
            with must_raise(InvalidValue, f"append({stream_id!r}, ...) must raise InvalidValue"):
                store.append(stream_id, notes(1))
        must_equal(read(store), [], "an append that raises must write nothing")

    def test_events_may_come_from_any_iterable(self, store: Any) -> None:
        store = store.append("Note-1", iter(notes(3))).append("Note-1", tuple(notes(2)))
        must_equal(
            [r.event for r in read(store)],
            notes(3) + notes(2),
            "events from an iterator and a tuple must be recorded in order",
        )

    def test_an_error_while_the_events_are_made_leaves_nothing(self, store: Any) -> None:
        def making() -> Iterator[Any]:
            yield from notes(3)
            raise _Broken

        with must_raise(_Broken, "an error while events are made must reach the caller"):
            store.append("Note-1", making())
        must_equal(read(store), [], "an append that failed halfway must leave nothing behind")
        must_equal(len(read(store.append("Note-1", notes(1)))), 1, "the store must be usable afterwards")

    def test_a_batch_is_recorded_wholly_or_not_at_all(self, store: Any) -> None:
        (first, second) = proposed(notes(2))
        store = store.append("Note-1", [first])
        doubtful = (
            NoteTaken(object()),  # type: ignore[arg-type]  # no serializer can write this
            NoteTaken("half a character: \ud83d"),
            object(),
            second._replace(event_id=first.event_id),
            second._replace(metadata={"unwritable": object()}),
        )
        for event in doubtful:
            before = read(store)
            try:
                store = store.append("Note-1", [CountRead(1), event, CountRead(2)])
            except CalamityError:
                must_equal(read(store), before, f"an append that raises for {event!r} must write nothing")
            else:
                must_equal(
                    len(read(store)), len(before) + 3, f"an append of {event!r} must record all three events"
                )
        length = len(read(store, "Note-1"))
        store = store.append("Note-1", [CountRead(3)], expected_version=length)
        must(read(store)[-1].event == CountRead(3), "the store must be usable after an append that raised")

    def test_a_large_batch_is_recorded_in_order(self, store: Any) -> None:
        batch = list(proposed(notes(5000)))
        store = store.append("Note-0", notes(1)).append("Note-1", batch, expected_version=NO_STREAM)
        recorded = read(store, "Note-1")
        must_equal(
            [r.event_id for r in recorded],
            [p.event_id for p in batch],
            "all events must be recorded, in order",
        )
        must_equal([r.stream_version for r in recorded], list(range(1, 5001)), "versions must have no gap")
        must_equal([r.position for r in recorded], list(range(2, 5002)), "positions must have no gap")
        must_equal(
            read(store, "Note-1", start=4999),
            recorded[-2:],
            "start_version must find the end of a long stream",
        )


TEXTS = (
    "",
    " ",
    "plain",
    "naïve café, Straße, Ελληνικά, 日本語",
    "e\u0301 is not \u00e9",
    "emoji 😀 👩‍👩‍👧‍👦 🇬🇧",
    "right to left: שלום, مرحبا \u202e turned",
    "quotes ' \" ` and \\ backslash \\u0000 \\n",
    "percent %s %(name)s {braces} $1 :name ?",
    "lines\nand\r\ntabs\t",
    "nothing \x00 in the middle, \x1b and \x7f",
    "'; DROP TABLE events; --",
    "null",
    '{"text": "json"}',
    "\ufeff\ufffd\u2028\u2029",
)
NUMBERS = (0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63))
RATIOS = (0.0, 0.1, -1.5, 1e300, 5e-324, 1.0, 123456789.123456789)
# Each is another stream. Ids that a database might take for the same are next to each other.
STREAM_IDS = (
    "Note-1",
    "note-1",
    "Note-1 ",
    " Note-1",
    "Note-01",
    "Note_1",
    "Note%1",
    "Note-",
    "-",
    "Note-a-b-c",
    "no dash",
    'Note-it\'s "quoted" `so`',
    "Note-%s %(x)s {0} :x ?",
    "Note-é",
    "Note-e\u0301",
    "Note-ß",
    "Note-ss",
    "Note-日本語 שלום 😀",
    "Note-back\\slash/slash",
    "Note-line\nbreak",
    "Note-" + "long " * 200,
    "Note-" + "long " * 200 + "!",
    "ALL",
    "None",
)


class ContentTests(EventStoreSuite):
    """What is kept of an event: each of its values, and all that is known about it."""

    def test_every_field_of_a_proposed_event_is_kept(self, store: Any) -> None:
        batch = list(proposed(notes(4)))
        store = store.append("Note-1", batch)
        for event, recorded in zip(batch, read(store), strict=True):
            for field in event._fields:
                must_equal(getattr(recorded, field), getattr(event, field), f"{field} must be kept as it was")
            must_equal(recorded.event_type, type(event.event).__name__, "event_type must name the class")
            must_equal(type(recorded.event), type(event.event), "an event must come back as its class")
            must_equal(recorded.recorded_at.utcoffset(), timedelta(0), "recorded_at must be in UTC")
            must_equal(type(recorded.position), int, "position must be an int")

    def test_a_bare_event_gets_an_id_and_a_time(self, store: Any) -> None:
        store = store.append("Note-1", notes(2)).append("Note-1", notes(1))
        first, second, later = read(store)
        must(
            len({first.event_id, second.event_id, later.event_id}) == 3,
            "each event must get an id of its own",
        )
        for recorded in (first, second, later):
            must(bool(recorded.event_id), "a bare event must get an id")
            must_equal(recorded.causation_id, None, "a bare event must have no causation_id")
            must_equal(dict(recorded.metadata), {}, "a bare event must have no metadata")
            must_equal(recorded.recorded_at.utcoffset(), timedelta(0), "recorded_at must be in UTC")
        must_equal(
            (first.correlation_id, second.correlation_id, later.correlation_id),
            (first.event_id, first.event_id, later.event_id),
            "bare events of one append must share a correlation_id, and no other append may have it",
        )

    def test_bare_and_proposed_events_may_be_mixed(self, store: Any) -> None:
        (dressed,) = proposed(notes(1))
        store = store.append("Note-1", [CountRead(1), dressed, CountRead(2)])
        before, between, after = read(store)
        must_equal(between.event_id, dressed.event_id, "a proposed event must keep its id among bare ones")
        must_equal(before.correlation_id, after.correlation_id, "the bare events must share a correlation_id")

    def test_an_event_of_another_store_keeps_all_but_its_version_and_position(self, store: Any) -> None:
        elsewhere = self.new_store((NoteTaken, CountRead))
        filled = elsewhere.append("Other-1", list(proposed(notes(2), seed="elsewhere")))
        events = read(filled)
        store = store.append("Note-1", notes(1)).append("Note-1", events)
        for number, (recorded, event) in enumerate(zip(read(store, start=2), events, strict=True), 2):
            must_equal(
                (recorded.stream_id, recorded.stream_version, recorded.position),
                ("Note-1", number, number),
                "an event of another store must get a new version and position",
            )
            for field in ("event", "event_id", "correlation_id", "causation_id", "recorded_at", "metadata"):
                must_equal(getattr(recorded, field), getattr(event, field), f"{field} must be kept")
        self.close(elsewhere)

    def test_every_value_comes_back_as_it_was(self, store: Any) -> None:
        events = [
            *(NoteTaken(text) for text in TEXTS),
            *(CountRead(number, exact=number > 0) for number in NUMBERS),
            *(PageFilled(None, ratio) for ratio in RATIOS),
            PageFilled("nested", 0.5, notes=tuple(map(NoteTaken, TEXTS)), tags=TEXTS),
        ]
        store = store.append("Note-1", events)
        for recorded, event in zip(read(store), events, strict=True):
            must_equal(recorded.event, event, f"{event!r} must come back as it was")

    def test_metadata_comes_back_as_it_was(self, store: Any) -> None:
        known = {"texts": list(TEXTS), **{f"key {text}": n for n, text in enumerate(TEXTS)}}
        (event,) = proposed(notes(1))
        store = store.append("Note-1", [event._replace(metadata=known)])
        must_equal(dict(read(store)[0].metadata), known, "metadata must come back as it was")

    def test_a_very_long_text_comes_back_as_it_was(self, store: Any) -> None:
        text = "".join(f"{n:06} 日本 😀\n" for n in range(70_000))
        store = store.append("Note-1", [NoteTaken(text)])
        must(read(store)[0].event == NoteTaken(text), "a text of more than 1 MB must come back as it was")

    def test_stream_ids_that_differ_in_one_character_are_different_streams(self, store: Any) -> None:
        for number, stream_id in enumerate(STREAM_IDS):
            store = store.append(stream_id, [CountRead(number), CountRead(number)])
        for number, stream_id in enumerate(STREAM_IDS):
            must_equal(
                [(r.stream_id, r.stream_version, r.event.number) for r in read(store, stream_id)],
                [(stream_id, 1, number), (stream_id, 2, number)],
                f"stream {stream_id[:40]!r} must be a stream of its own",
            )
