"""What a subscriber hears: each event that is appended from now on, once, after the append, in order."""

from __future__ import annotations

from typing import Any

from calamity_lab.errors import InvalidValue, WrongExpectedVersion
from calamity_lab.kernel.constants import ALL, NO_STREAM
from calamity_lab.kernel.identity import Identity
from calamity_lab.testing.demands import must_equal, must_raise
from calamity_lab.testing.event_stores.on_trial import EventStoreOnTrial, read
from calamity_lab.testing.notes import notes, proposed


class Subscribing(EventStoreOnTrial):
    """The demands on ``subscribe``."""

    def test_a_subscriber_to_all_hears_every_later_event_once_and_in_order(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.append("Note-1", notes(2)).subscribe(ALL, heard.append)
        for name in ("Note-1", "Note-2", "Other-1", "Note-1"):
            store = store.append(name, list(proposed(notes(3), seed=f"{name} {len(read(store))}")))
        self.await_all(heard, 12)
        must_equal(heard, read(store, start=3), "a subscriber to ALL must hear these, once each, in order")

    def test_a_subscriber_to_a_stream_hears_nothing_else(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.append("Note-1", notes(1)).subscribe("Note-1", heard.append)
        store = store.append("Note-2", notes(2)).append("Note-1", notes(2)).append("Note-10", notes(1))
        store = store.append("Note-1", notes(1))
        self.await_all(heard, 3)
        must_equal(heard, read(store, "Note-1", start=2), "a subscriber to a stream must hear that stream")

    def test_a_stream_may_be_subscribed_to_before_it_is_there_and_by_identity(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.subscribe(Identity("Note", "1"), heard.append).append("Note-1", notes(2))
        self.await_all(heard, 2)
        must_equal(heard, read(store, "Note-1"), "a subscriber by Identity must hear the whole new stream")

    def test_every_subscriber_is_told(self, store: Any) -> None:
        one: list[Any] = []
        other: list[Any] = []
        all_: list[Any] = []
        store = store.subscribe("Note-1", one.append).subscribe("Note-1", other.append)
        store = store.subscribe(ALL, all_.append).append("Note-1", notes(2))
        for heard in (one, other, all_):
            self.await_all(heard, 2)
            must_equal(heard, read(store), "every subscriber must hear every event")

    def test_a_subscriber_that_asked_twice_is_told_once(self, store: Any) -> None:
        twice: list[Any] = []
        both: list[Any] = []
        store = store.subscribe(ALL, twice.append).subscribe(ALL, twice.append)
        store = store.subscribe("Note-1", both.append).subscribe(ALL, both.append)
        store = store.append("Note-1", notes(2)).append("Note-2", notes(1))
        for heard in (twice, both):
            self.await_all(heard, 3)
            must_equal(heard, read(store), "a subscriber that asked twice must hear each event once")

    def test_what_is_not_recorded_is_not_told(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.append("Note-1", notes(1)).subscribe(ALL, heard.append)
        store = store.append("Note-1", [])
        with must_raise(WrongExpectedVersion, "the stream is there, so this append must be refused"):
            store.append("Note-1", notes(2), expected_version=NO_STREAM)
        store = store.append("Note-2", notes(1))
        self.await_all(heard, 1)
        must_equal(heard, read(store, start=2), "neither an append of nothing nor a refused one may be told")

    def test_a_large_batch_is_told_in_order(self, store: Any) -> None:
        heard: list[Any] = []
        store = store.subscribe(ALL, heard.append).append("Note-1", notes(2000))
        self.await_all(heard, 2000)
        must_equal([r.position for r in heard], list(range(1, 2001)), "once each, in order")

    def test_what_cannot_be_subscribed_is_refused(self, store: Any) -> None:
        for subscriber in ("print", None, 5):
            with must_raise(InvalidValue, f"subscribe(ALL, {subscriber!r}) must raise InvalidValue"):
                store.subscribe(ALL, subscriber)
        for stream_id in (None, "", 5):
            with must_raise(InvalidValue, f"subscribe({stream_id!r}, ...) must raise InvalidValue"):
                store.subscribe(stream_id, print)
