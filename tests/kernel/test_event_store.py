"""The event store as a value: what an append expects, what a stream yields, who is told."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.errors import InvalidValue, WrongExpectedVersion
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL, ANY, BACKWARDS, FORWARDS, NO_STREAM, STREAM_EXISTS
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from tests.kernel.elixir import BankAccount, DepositFunds, FundsDeposited

ONE = FundsDeposited("1", 1)


def store_of(*amounts: int) -> InMemoryEventStore:
    empty = InMemoryEventStore(clock=ticking_clock(), ids=seeded_ids(1))
    return empty.append("BankAccount-1", [FundsDeposited("1", amount) for amount in amounts])


@pytest.mark.parametrize(
    ("amounts", "expected", "fits"),
    [
        ((), ANY, True),
        ((), NO_STREAM, True),
        ((), 0, True),
        ((), STREAM_EXISTS, False),
        ((), 1, False),
        ((1, 2), ANY, True),
        ((1, 2), NO_STREAM, False),
        ((1, 2), 0, False),
        ((1, 2), STREAM_EXISTS, True),
        ((1, 2), 2, True),
        ((1, 2), 1, False),
        ((1, 2), 3, False),
    ],
)
def test_an_append_finds_what_it_expects_or_writes_nothing(
    amounts: tuple[int, ...], expected: Any, fits: bool
) -> None:
    store = store_of(*amounts)
    if fits:
        assert len(store.append("BankAccount-1", [ONE], expected_version=expected)) == len(amounts) + 1
        return
    with pytest.raises(WrongExpectedVersion, match="append to 'BankAccount-1' expected") as caught:
        store.append("BankAccount-1", [ONE], expected_version=expected)
    error = caught.value
    assert (error.stream_id, error.expected, error.actual) == ("BankAccount-1", expected, len(amounts))
    assert len(store) == len(amounts)


@pytest.mark.parametrize("expected", [-1, "any", None, 1.0, True])
def test_an_expectation_that_makes_no_sense_is_refused(expected: Any) -> None:
    with pytest.raises(InvalidValue, match="give ANY, NO_STREAM, STREAM_EXISTS or a version"):
        store_of(1, 2).append("BankAccount-1", [ONE], expected_version=expected)


@pytest.mark.parametrize(
    ("start", "forwards"), [(0, [1, 2, 3]), (1, [1, 2, 3]), (2, [2, 3]), (3, [3]), (4, []), (-5, [1, 2, 3])]
)
def test_start_version_is_inclusive_and_filters_before_the_order_is_turned(
    start: int, forwards: list[int]
) -> None:
    for stream_id in ("BankAccount-1", ALL):
        for direction, wanted in ((FORWARDS, forwards), (BACKWARDS, forwards[::-1])):
            read = store_of(10, 20, 30).stream(stream_id, start_version=start, direction=direction)
            assert [recorded.stream_version for recorded in read] == wanted


def test_positions_count_over_all_streams_and_versions_within_one() -> None:
    store = store_of(1, 2).append("BankAccount-2", [ONE]).append("BankAccount-1", [ONE])
    places = [(r.stream_id, r.stream_version, r.position) for r in store.stream(ALL)]
    assert places == [
        ("BankAccount-1", 1, 1),
        ("BankAccount-1", 2, 2),
        ("BankAccount-2", 1, 3),
        ("BankAccount-1", 3, 4),
    ]
    assert store.stream_ids == ("BankAccount-1", "BankAccount-2")


def test_a_stream_that_is_not_there_is_empty() -> None:
    assert list(store_of(1).stream("BankAccount-9")) == []
    assert store_of(1).version("BankAccount-9") == 0


def test_a_stream_may_be_asked_for_by_identity() -> None:
    assert len(list(store_of(1, 2).stream(Identity(BankAccount, "1")))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("call", ["append", "stream", "subscribe"])
@pytest.mark.parametrize("stream_id", [None, "", 5])
def test_a_stream_id_that_is_none_is_refused(call: str, stream_id: Any) -> None:
    arguments: dict[str, list[Any]] = {"append": [[ONE]], "stream": [], "subscribe": [print]}
    with pytest.raises(InvalidValue, match="'BankAccount-1'"):
        getattr(store_of(1), call)(stream_id, *arguments[call])


def test_a_direction_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidValue, match="give FORWARDS or BACKWARDS"):
        store_of(1).stream(ALL, direction="backwards")  # type: ignore[arg-type]


def test_a_subscriber_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(InvalidValue, match="give a function, as in"):
        store_of(1).subscribe(ALL, "print")  # type: ignore[arg-type]


def test_a_subscriber_hears_only_its_stream_and_only_what_comes_after() -> None:
    heard: list[Any] = []
    store = store_of(1).subscribe("BankAccount-2", heard.append)
    store = store.append("BankAccount-1", [ONE]).append("BankAccount-2", [ONE])
    assert [recorded.stream_id for recorded in heard] == ["BankAccount-2"]


def test_a_subscriber_is_told_after_all_events_of_an_append_are_recorded() -> None:
    versions: list[int] = []
    held: list[InMemoryEventStore] = []
    store = store_of().subscribe(ALL, lambda recorded: versions.append(recorded.stream_version))
    held.append(store.append("BankAccount-1", [ONE, ONE]))
    assert versions == [1, 2]
    assert len(held[0]) == 2


def test_an_append_of_nothing_is_the_same_store() -> None:
    store = store_of(1)
    assert store.append("BankAccount-2", []) is store


def test_bare_events_of_one_append_belong_together() -> None:
    first, second = store_of(1, 2)
    assert first.correlation_id == second.correlation_id == first.event_id
    assert first.causation_id is None


def test_a_history_recorded_elsewhere_is_taken_as_it_is() -> None:
    store = store_of(1, 2).append("BankAccount-2", [ONE])
    again = InMemoryEventStore.of(reversed(list(store)))
    assert again == store
    by_stream = {name: list(store.stream(name)) for name in store.stream_ids}
    assert InMemoryEventStore.from_streams(by_stream) == store


def test_a_history_with_a_gap_or_a_double_is_refused() -> None:
    first, second, third = store_of(1, 2, 3)
    for broken in ([first, third], [first, second, second], [second]):
        with pytest.raises(InvalidValue, match="the history has a gap or an event twice"):
            InMemoryEventStore.of(broken)


def test_a_store_tells_its_size() -> None:
    assert repr(store_of(1, 2)) == "InMemoryEventStore(events=2, streams=1)"


def test_an_append_of_a_bare_event_says_that_it_takes_a_list() -> None:
    with pytest.raises(InvalidValue, match=r"give a list, as in append\(stream_id, \[event\]\)"):
        InMemoryEventStore().append("BankAccount-1", FundsDeposited("1", 5))


class Telling:
    """An event store of somebody's own that tells what it has recorded, and counts how often it is read."""

    def __init__(self) -> None:
        self.store = InMemoryEventStore()
        self.reads = 0

    def append(self, stream_id: str, events: Any, *, expected_version: Any = ANY) -> Telling:
        raise AssertionError("a store that has record() is asked by it")

    def record(self, stream_id: str, proposals: Any, expected_version: Any) -> tuple[Any, Telling]:
        recorded, self.store = self.store.record(stream_id, proposals, expected_version)
        return recorded, self

    def stream(self, stream_id: Any, **options: Any) -> Any:
        self.reads += 1
        return self.store.stream(stream_id, **options)

    def subscribe(self, stream_id: Any, subscriber: Any) -> Telling:
        self.store = self.store.subscribe(stream_id, subscriber)
        return self


def test_a_store_that_tells_what_it_recorded_is_not_read_for_that() -> None:
    store = Telling()
    stack = dispatch(Stack(event_store=store), DepositFunds("1", 5))
    reads = store.reads
    dispatch(stack, DepositFunds("1", 5))
    assert store.reads == reads == 1, "once, to catch up with what is not known yet"
    assert [event.event.amount for event in store.store] == [5, 5]
