"""A real store as of a position, with events on top: what it shows, what it commits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import (
    CommitConflict,
    InvalidValue,
    ModelError,
    OutOfRange,
    StoreUnavailable,
    WrongExpectedVersion,
)
from calamity_lab.examples.bank import FundsDeposited
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.protocols import ALL, BACKWARDS, FORWARDS, NO_STREAM, Direction, StreamId
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent
from calamity_lab.stores.overlay import OverlayEventStore
from tests.kernel.outside import OutsideEvents

STREAMS = ("BankAccount-1", "BankAccount-2", "BankAccount-3")


def paid(amount: int) -> FundsDeposited:
    return FundsDeposited("1", amount)


class Watched(OutsideEvents):
    """A store that changes in place, and counts how often it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.held = InMemoryEventStore(clock=ticking_clock(), ids=seeded_ids("base"))
        self.reads = 0

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        self.reads += 1
        return super().stream(stream_id, start_version=start_version, direction=direction)

    def version(self, stream_id: StreamId) -> int:
        return self.held.version(stream_id)


class Positioned(Watched):
    """One that can be read as of a position, as a database can."""

    def stream(self, stream_id: StreamId, *, upto_position: int | None = None, **asked: Any) -> Any:
        read = super().stream(stream_id, **asked)
        if upto_position is None:
            return read
        return iter([event for event in read if event.position <= upto_position])


def watched(*streams: int, kind: type[Watched] = Watched) -> Watched:
    """A store in which events were recorded, one each, in streams of those numbers."""
    store = kind()
    for amount, number in enumerate(streams, 1):
        store.append(f"BankAccount-{number}", [paid(amount)])
    return store


def overlay_on(base: Any, **given: Any) -> OverlayEventStore:
    return OverlayEventStore(base, clock=ticking_clock("2026-02-01"), ids=seeded_ids("lab"), **given)


def places(events: Any) -> list[tuple[str, int, int]]:
    return [(event.stream_id, event.stream_version, event.position) for event in events]


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(st.sampled_from((1, 2, 3)), max_size=8),
    later=st.lists(st.sampled_from((1, 2, 3)), max_size=4),
    on_top=st.lists(st.tuples(st.sampled_from(STREAMS), st.integers(1, 3)), max_size=6),
    kind=st.sampled_from((Watched, Positioned)),
    read_early=st.booleans(),
    whole_first=st.booleans(),
)
def test_an_overlay_reads_as_a_store_that_never_saw_what_came_later(
    before: list[int],
    later: list[int],
    on_top: list[tuple[str, int]],
    kind: type[Watched],
    read_early: bool,
    whole_first: bool,
) -> None:
    base = watched(*before, kind=kind)
    model = InMemoryEventStore.of(
        base.held.stream(ALL), clock=ticking_clock("2026-02-01"), ids=seeded_ids("lab")
    )
    overlay = overlay_on(base)
    if read_early:
        assert list(overlay.stream(STREAMS[0], start_version=2)) == list(
            model.stream(STREAMS[0], start_version=2)
        )
    for number in later:
        base.append(f"BankAccount-{number}", [paid(99)])
    if whole_first:
        assert list(overlay) == list(model)
    for stream_id, count in on_top:
        events = [paid(n) for n in range(count)]
        overlay, model = overlay.append(stream_id, events), model.append(stream_id, events)
    for stream_id in (*STREAMS, ALL):
        assert overlay.version(stream_id) == model.version(stream_id)
        for start in range(0, len(model) + 2, 2):
            for direction in (BACKWARDS, FORWARDS, BACKWARDS):
                asked: Any = {"start_version": start, "direction": direction}
                assert list(overlay.stream(stream_id, **asked)) == list(model.stream(stream_id, **asked))
    assert (overlay.stream_ids, len(overlay), list(overlay)) == (model.stream_ids, len(model), list(model))
    assert overlay.own == tuple(model)[len(before) :]


def test_an_old_overlay_may_be_appended_to_again_and_both_stay_good() -> None:
    first = overlay_on(watched(1, 2)).append("BankAccount-1", [paid(10)])
    left, right = first.append("BankAccount-2", [paid(20)]), first.append("BankAccount-3", [paid(30)])
    assert places(first.own) == [("BankAccount-1", 2, 3)]
    assert places(left.own) == [("BankAccount-1", 2, 3), ("BankAccount-2", 2, 4)]
    assert places(right.own) == [("BankAccount-1", 2, 3), ("BankAccount-3", 1, 4)]
    assert left == first.append("BankAccount-2", [paid(20)])
    assert left != right
    assert hash(left) == hash(first.append("BankAccount-2", [paid(20)]))


@pytest.mark.parametrize("kind", [Watched, Positioned])
def test_an_earlier_position_shows_the_store_as_it_was_there(kind: type[Watched]) -> None:
    base = watched(1, 2, 1, 1, kind=kind)
    overlay = overlay_on(base, position=3)
    assert places(overlay) == [("BankAccount-1", 1, 1), ("BankAccount-2", 1, 2), ("BankAccount-1", 2, 3)]
    assert (overlay.version("BankAccount-1"), overlay.version(ALL), overlay.position) == (2, 3, 3)
    assert places(overlay.append("BankAccount-1", [paid(5)]).own) == [("BankAccount-1", 3, 4)]
    assert places(overlay_on(base, position=0)) == []


@pytest.mark.parametrize("position", [-1, True, 1.0, "3"])
def test_a_position_that_is_none_is_refused(position: Any) -> None:
    with pytest.raises(InvalidValue, match=r"a whole number from 0 \(before the first event\) to 2"):
        OverlayEventStore(watched(1, 2), position=position)


def test_a_position_to_which_the_store_has_not_come_is_refused() -> None:
    with pytest.raises(
        OutOfRange,
        match="position=3: the last event of the store is at position 2; give a position up to that",
    ):
        OverlayEventStore(watched(1, 2), position=3)


def test_what_is_no_event_store_cannot_be_laid_under() -> None:
    with pytest.raises(InvalidValue, match=r"\{\} has no stream\(\), so it cannot be the base of an overlay"):
        OverlayEventStore({})


def test_a_version_that_does_not_fit_is_refused_and_nothing_is_written() -> None:
    overlay = overlay_on(watched(1, 1)).append("BankAccount-1", [paid(3)], expected_version=2)
    with pytest.raises(WrongExpectedVersion) as caught:
        overlay.append("BankAccount-1", [paid(4)], expected_version=2)
    assert (caught.value.actual, len(overlay.own)) == (3, 1)
    with pytest.raises(WrongExpectedVersion):
        overlay.append("BankAccount-1", [paid(4)], expected_version=NO_STREAM)
    with pytest.raises(InvalidValue, match="give ANY, NO_STREAM"):
        overlay.append("BankAccount-1", [paid(4)], expected_version="latest")  # type: ignore[arg-type]


def test_nothing_that_is_done_on_top_reaches_the_store_below() -> None:
    base = watched(1, 2)
    before = base.held
    overlay_on(base).append("BankAccount-1", [paid(3)]).append("BankAccount-9", [paid(4)])
    assert base.held is before


def test_what_was_read_once_is_not_asked_for_again_by_any_overlay_on_it() -> None:
    base = watched(1, 2, 1)
    overlay = overlay_on(base)
    assert len(list(overlay.stream("BankAccount-1"))) == 2
    assert base.reads == 2, "its version, and its events"
    for amount in range(5):
        overlay = overlay.append("BankAccount-1", [paid(amount)], expected_version=2 + amount)
        assert len(list(overlay.stream("BankAccount-1"))) == 3 + amount
        assert len(list(overlay.stream("BankAccount-1", start_version=3 + amount))) == 1
    assert base.reads == 2
    assert len(list(overlay)) == 8
    assert base.reads == 3
    assert len(list(overlay.stream("BankAccount-2", direction=BACKWARDS))) == 1
    assert list(overlay.stream("BankAccount-7")) == []
    assert overlay.stream_ids == ("BankAccount-1", "BankAccount-2")
    assert base.reads == 3, "the whole history tells every stream"


def test_the_latest_events_are_had_without_reading_those_before() -> None:
    base = watched(*[1] * 50)
    overlay = overlay_on(base)
    latest = overlay.stream(ALL, direction=BACKWARDS)
    assert [next(latest).position, next(latest).position] == [50, 49]
    assert [event.position for event in overlay.stream(ALL, start_version=49)] == [49, 50]
    assert [event.position for event in overlay.stream(ALL, start_version=48)] == [48, 49, 50]
    assert list(overlay.stream(ALL, start_version=51)) == []


def test_before_the_first_event_there_is_nothing_to_be_asked_for() -> None:
    base = watched(1, 2)
    overlay = overlay_on(base, position=0).append("BankAccount-1", [paid(1)], expected_version=NO_STREAM)
    assert places(overlay) == places(overlay.stream("BankAccount-1")) == [("BankAccount-1", 1, 1)]
    assert (overlay.stream_ids, base.reads) == (("BankAccount-1",), 0)


def test_a_reader_that_stops_early_leaves_nothing_half_read_behind() -> None:
    overlay = overlay_on(watched(*[1] * 5))
    assert len(list(takewhile(lambda event: event.position < 3, overlay))) == 2
    assert len(list(overlay)) == 5


def test_subscribers_are_told_of_what_is_appended_on_top_and_of_nothing_else() -> None:
    base, told, told_of_one = watched(1), [], []
    overlay = overlay_on(base).subscribe(ALL, told.append).subscribe("BankAccount-2", told_of_one.append)
    overlay = overlay.subscribe(ALL, told.append)
    base.append("BankAccount-1", [paid(2)])
    assert told == []
    overlay.append("BankAccount-1", [paid(3)]).append("BankAccount-2", [paid(4)])
    assert places(told) == [("BankAccount-1", 2, 2), ("BankAccount-2", 1, 3)]
    assert told_of_one == told[1:]


def test_a_subscriber_that_breaks_is_named() -> None:
    def breaks(_: RecordedEvent) -> None:
        raise RuntimeError("no")

    with pytest.raises(ModelError, match=r"subscriber .*breaks raised RuntimeError: no"):
        overlay_on(watched()).subscribe(ALL, breaks).append("BankAccount-1", [paid(1)])
    with pytest.raises(InvalidValue, match=r"subscribe\(subscriber='me'\): give a function, as in"):
        overlay_on(watched()).subscribe(ALL, "me")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["", None, 7])
def test_an_invalid_stream_id_raises_on_append(wrong: Any) -> None:
    overlay = overlay_on(watched())
    for ask in (lambda: overlay.append(wrong, []), lambda: overlay.stream(wrong)):
        with pytest.raises(InvalidValue, match="as in 'BankAccount-1'"):
            ask()
    with pytest.raises(InvalidValue, match="give FORWARDS or BACKWARDS"):
        overlay.stream(ALL, direction="up")  # type: ignore[arg-type]


def test_an_overlay_tells_what_lies_on_what() -> None:
    base = InMemoryEventStore().append("BankAccount-1", [paid(1)])
    assert repr(overlay_on(base).append("BankAccount-1", [paid(2)])) == (
        "OverlayEventStore(1 event on InMemoryEventStore(events=1, streams=1) as of position 1)"
    )


class Keeping(Watched):
    """A store that can write to several streams at once."""

    def append_all(self, entries: Any, *, expected_versions: Any) -> Any:
        moved = {
            s: (v, self.held.version(s)) for s, v in expected_versions.items() if self.held.version(s) != v
        }
        if moved:
            raise CommitConflict(moved)
        head = len(self.held)
        for stream_id, proposed in entries:
            self.append(stream_id, [proposed])
        return tuple(self.held.stream(ALL, start_version=head + 1))


def test_a_commit_writes_what_is_on_top_with_all_that_is_known_of_it() -> None:
    base = watched(1, 2, kind=Keeping)
    overlay = overlay_on(base).append("BankAccount-1", [paid(3), paid(4)]).append("BankAccount-3", [paid(5)])
    base.append("BankAccount-2", [paid(6)])  # of no concern: the overlay has nothing in that stream
    events, store = overlay.commit()
    assert store is base
    assert places(events) == [("BankAccount-1", 2, 4), ("BankAccount-1", 3, 5), ("BankAccount-3", 1, 6)]
    for written, own in zip(events, overlay.own, strict=True):
        kept = ("event", "event_id", "causation_id", "correlation_id", "recorded_at", "metadata")
        assert [getattr(written, name) for name in kept] == [getattr(own, name) for name in kept]


def test_what_was_committed_before_can_be_left_out_and_is_expected_then() -> None:
    base = watched(1, kind=Keeping)
    first = overlay_on(base).append("BankAccount-1", [paid(2)])
    first.commit()
    assert places(first.append("BankAccount-1", [paid(3)]).commit(after=1).events) == [
        ("BankAccount-1", 3, 3)
    ]
    assert first.commit(after=1) == ((), base)


@pytest.mark.parametrize("kind", [Keeping, InMemoryEventStore])
def test_a_commit_that_meets_what_was_written_meanwhile_writes_nothing_and_names_the_streams(
    kind: Any,
) -> None:
    kept = watched(1, 2, 1, 2, kind=Keeping)
    base = kept if kind is Keeping else kept.held
    overlay = overlay_on(base, position=2)
    overlay = overlay.append("BankAccount-3", [paid(1)]).append("BankAccount-1", [paid(7)])
    with pytest.raises(CommitConflict, match=r"BankAccount-1 \(built on version 1, now 2\)") as caught:
        overlay.commit()
    assert caught.value.streams == {"BankAccount-1": (1, 2)}
    assert len(kept.held) == 4


def test_an_in_memory_base_stays_as_it_is_and_the_one_with_the_events_is_given_back() -> None:
    base = InMemoryEventStore().append("BankAccount-1", [paid(1)])
    overlay = overlay_on(base).append("BankAccount-1", [paid(2)])
    events, store = overlay.commit()
    assert (len(base), list(store)) == (1, [*base, *events])
    further = overlay.append("BankAccount-1", [paid(3)])
    assert len(further.commit(after=1, to=store).store) == 3
    assert len(overlay_on(overlay).append("BankAccount-1", [paid(4)]).commit().store) == 3


class GoesAway(Keeping):
    """A store whose server goes away after the commit, and before it says so."""

    def append_all(self, entries: Any, *, expected_versions: Any) -> Any:
        super().append_all(entries, expected_versions=expected_versions)
        self.__class__ = Keeping
        raise StoreUnavailable("the server is gone")


def test_a_commit_whose_outcome_was_not_known_can_be_repeated_and_writes_nothing_twice() -> None:
    base = watched(1, kind=GoesAway)
    overlay = overlay_on(base).append("BankAccount-1", [paid(2)]).append("BankAccount-2", [paid(3)])
    with pytest.raises(StoreUnavailable):
        overlay.commit()
    base.append("BankAccount-1", [paid(4)])
    assert places(overlay.commit().events) == [("BankAccount-1", 2, 2), ("BankAccount-2", 1, 3)]
    assert len(base.held) == 4
    with pytest.raises(CommitConflict):
        overlay_on(base, position=1).append("BankAccount-1", [paid(9)]).commit()
    with pytest.raises(CommitConflict):
        overlay.append("BankAccount-2", [paid(5)]).commit()


def test_a_store_that_cannot_write_to_several_streams_at_once_is_not_committed_to() -> None:
    overlay = overlay_on(watched(1)).append("BankAccount-1", [paid(2)])
    with pytest.raises(InvalidValue, match="cannot be committed to: it has no append_all"):
        overlay.commit()


def test_what_is_recorded_on_top_is_told_as_it_will_be_read() -> None:
    base = InMemoryEventStore().append("BankAccount-1", [paid(1)])
    overlay = OverlayEventStore(base)
    proposals = list(map(proposal, base))
    recorded, after = overlay.record("BankAccount-1", proposals, 1)
    assert recorded == tuple(after.stream("BankAccount-1", start_version=2))
    assert [(r.stream_version, r.position) for r in recorded] == [(2, 2)]
    assert len(overlay) == 1
    assert after.record("BankAccount-1", [], 2) == ((), after)
    with pytest.raises(WrongExpectedVersion):
        after.record("BankAccount-1", proposals, 1)


def proposal(recorded: RecordedEvent) -> ProposedEvent:
    return ProposedEvent(
        recorded.event, "another id", recorded.correlation_id, None, recorded.recorded_at, recorded.metadata
    )
