"""What is kept of an event: every field of it, whatever is in it, and what is known about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from calamity_lab.testing.demands import must, must_equal
from calamity_lab.testing.event_stores.on_trial import EventStoreOnTrial, read
from calamity_lab.testing.notes import CountRead, NoteTaken, PageFilled, notes, proposed

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
# Each is another stream; what an engine might take for the same stands side by side.
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


class Contents(EventStoreOnTrial):
    """The demands on what is recorded."""

    def test_all_that_is_known_of_a_proposed_event_is_kept(self, store: Any) -> None:
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
        must(len({first.event_id, second.event_id, later.event_id}) == 3, "each must get an id of its own")
        for recorded in (first, second, later):
            must(bool(recorded.event_id), "a bare event must get an id")
            must_equal(recorded.causation_id, None, "nothing must be told as the cause of a bare event")
            must_equal(dict(recorded.metadata), {}, "a bare event must have no metadata")
            must_equal(recorded.recorded_at.utcoffset(), timedelta(0), "recorded_at must be in UTC")
        must_equal(
            (first.correlation_id, second.correlation_id, later.correlation_id),
            (first.event_id, first.event_id, later.event_id),
            "bare events of one append must belong together, and to no other append",
        )

    def test_bare_and_proposed_events_may_be_mixed(self, store: Any) -> None:
        (dressed,) = proposed(notes(1))
        store = store.append("Note-1", [CountRead(1), dressed, CountRead(2)])
        before, between, after = read(store)
        must_equal(between.event_id, dressed.event_id, "a proposed event must keep its id among bare ones")
        must_equal(before.correlation_id, after.correlation_id, "the bare ones must belong together")

    def test_an_event_recorded_elsewhere_keeps_all_but_its_place(self, store: Any) -> None:
        elsewhere = self.new_store((NoteTaken, CountRead))
        filled = elsewhere.append("Other-1", list(proposed(notes(2), seed="elsewhere")))
        events = read(filled)
        store = store.append("Note-1", notes(1)).append("Note-1", events)
        for place, (recorded, event) in enumerate(zip(read(store, start=2), events, strict=True), 2):
            must_equal(
                (recorded.stream_id, recorded.stream_version, recorded.position),
                ("Note-1", place, place),
                "an event recorded elsewhere must get its place anew",
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

    def test_streams_are_told_apart_to_the_letter(self, store: Any) -> None:
        for number, stream_id in enumerate(STREAM_IDS):
            store = store.append(stream_id, [CountRead(number), CountRead(number)])
        for number, stream_id in enumerate(STREAM_IDS):
            must_equal(
                [(r.stream_id, r.stream_version, r.event.number) for r in read(store, stream_id)],
                [(stream_id, 1, number), (stream_id, 2, number)],
                f"stream {stream_id[:40]!r} must be a stream of its own",
            )
