"""The conformance suite for aggregate stores: subclass it, say how your store is made, and run pytest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import strategies as st

from calamity_lab.errors import ModelError, Rejected
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore
from calamity_lab.testing.models import (
    COUNTERS,
    LIMIT,
    Break,
    Count,
    CountAll,
    Counted,
    Counter,
    Gauge,
    GaugeSet,
    Inspect,
    SetGauge,
)
from calamity_lab.testing.suite import StoreSuite, must_equal, must_raise, outcome

IDS = ("1", "2", "ü-%s")
STRANGE_IDS = (
    "a-b-c",
    "a/b\\c",
    'it\'s "quoted"',
    "%s {0} $1 :x ?",
    "é",
    "e\u0301",
    "日本 😀 שלום",
    " ",
    "x" * 300,
)
AMOUNT = st.integers(-5, LIMIT + 5)
ID = st.sampled_from(IDS)
COMMAND = st.one_of(
    st.builds(Count, ID, AMOUNT),
    st.builds(CountAll, ID, st.lists(AMOUNT, max_size=3).map(tuple)),
    st.builds(Inspect, ID),
    st.builds(Break, ID, st.sampled_from(["deciding", "applying"])),
    st.builds(SetGauge, ID, st.floats(allow_nan=False, allow_infinity=False)),
)
EVENTS = st.tuples(ID, st.lists(st.builds(Counted, ID, AMOUNT), min_size=1, max_size=3))
FORGET = st.builds(Identity, st.sampled_from([Counter, Gauge]), ID)


class AggregateStoreConformance(StoreSuite):
    """All that an aggregate store must do.

    Writing your own store? Subclass this suite and you get its tests::

        class TestMyAggregateStore(AggregateStoreConformance):
            def new_store(self, types):
                return MyAggregateStore(types)

    Stores that are values and stores that change in place both pass: the suite goes on with the store that
    each call returns. Override ``close`` where your store needs more than its own ``close()``, and
    ``writers`` where several threads may write to it.
    """

    types = COUNTERS

    def test_a_command_returns_its_events_and_changes_its_aggregate(self, store: Any) -> None:
        events, store = store.dispatch(Count("1", 3))
        must_equal(list(events), [Counted("1", 3)], "dispatch must return the events of the command")
        events, store = store.dispatch(Count("1", 4))
        must_equal(list(events), [Counted("1", 4)], "dispatch must return the events of the command")
        must_equal(store.get("Counter-1"), Counter("1", 7, (3, 4)), "its events must have been applied")

    def test_several_events_are_returned_and_applied_in_order(self, store: Any) -> None:
        events, store = store.dispatch(CountAll("1", (5, 6, 7)))
        must_equal(list(events), [Counted("1", n) for n in (5, 6, 7)], "all events, in order")
        must_equal(store.get("Counter-1"), Counter("1", 18, (5, 6, 7)), "all applied, in order")

    def test_a_command_without_events_changes_nothing(self, store: Any) -> None:
        _, store = store.dispatch(Count("1", 3))
        for command in (Inspect("1"), CountAll("1", ())):
            events, store = store.dispatch(command)
            must_equal(list(events), [], f"{command!r} leads to no events")
        must_equal(store.get("Counter-1"), Counter("1", 3, (3,)), "no events, no change")

    def test_a_rejection_reaches_the_caller_and_changes_nothing(self, store: Any) -> None:
        _, store = store.dispatch(Count("1", 3))
        command = Count("1", LIMIT + 1)
        with must_raise(Rejected, "a rejected command must raise the aggregate's Rejected") as raised:
            store.dispatch(command)
        found = (raised[0].reason, dict(raised[0].details), raised[0].command)
        wanted = ("too much at once", {"by": LIMIT + 1, "total": 3}, command)
        must_equal(found, wanted, "a Rejected must have its reason, details and command")
        must_equal(store.get("Counter-1"), Counter("1", 3, (3,)), "a rejected command must change nothing")
        _, store = store.dispatch(Count("1", 1))
        must_equal(store.get("Counter-1"), Counter("1", 4, (3, 1)), "the store must be usable afterwards")

    def test_an_error_in_the_model_changes_nothing(self, store: Any) -> None:
        _, store = store.dispatch(Count("1", 3))
        for while_, callback in (("deciding", "Counter.execute"), ("applying", "Counter.apply")):
            for counter_id, wanted in (("1", Counter("1", 3, (3,))), ("9", None)):
                where = f"an error in the model while {while_}"
                with must_raise(ModelError, f"{where} must raise ModelError") as raised:
                    store.dispatch(Break(counter_id, while_))
                must_equal(raised[0].callback, callback, f"{where} must name the callback")
                must_equal(store.get(f"Counter-{counter_id}"), wanted, f"{where} must change nothing")
        _, store = store.dispatch(Count("1", 1))
        must_equal(store.get("Counter-1"), Counter("1", 4, (3, 1)), "the store must be usable afterwards")

    def test_an_object_that_is_no_command_raises(self, store: Any) -> None:
        with must_raise(ModelError, "an object without aggregate() must raise ModelError"):
            store.dispatch(Counted("1", 1))

    def test_get_returns_the_default_for_an_unknown_aggregate(self, store: Any) -> None:
        _, store = store.dispatch(Count("1", 3))
        nothing = object()
        for key in ("Counter-9", Identity(Counter, "9"), "Gauge-1"):
            must_equal(store.get(key), None, f"get({key!r}) must be None where there is no such aggregate")
            must_equal(store.get(key, nothing), nothing, f"get({key!r}, default) must be the default")

    def test_an_aggregate_is_read_by_stream_id_and_by_identity(self, store: Any) -> None:
        _, store = store.dispatch(Count("1", 3))
        for key in ("Counter-1", Identity(Counter, "1"), Identity("Counter", "1")):
            must_equal(store.get(key), Counter("1", 3, (3,)), f"get({key!r}) must return the aggregate")

    def test_aggregates_do_not_mix(self, store: Any) -> None:
        for command in (Count("1", 1), SetGauge("1", 0.5), Count("2", 2), SetGauge("2", 1.5), Count("1", 3)):
            _, store = store.dispatch(command)
        must_equal(
            [store.get(key) for key in ("Counter-1", "Counter-2", "Gauge-1", "Gauge-2")],
            [Counter("1", 4, (1, 3)), Counter("2", 2, (2,)), Gauge("1", 0.5), Gauge("2", 1.5)],
            "aggregates of another id, or of another type with the same id, must not be touched",
        )

    def test_any_text_may_be_an_id(self, store: Any) -> None:
        for number, counter_id in enumerate(STRANGE_IDS):
            _, store = store.dispatch(Count(counter_id, number))
        for number, counter_id in enumerate(STRANGE_IDS):
            wanted = Counter(counter_id, number, (number,))
            must_equal(store.get(Identity(Counter, counter_id)), wanted, f"id {counter_id!r} must work")

    def test_events_that_somebody_else_recorded_are_applied(self, store: Any) -> None:
        counter, gauge = Identity(Counter, "1"), Identity(Gauge, "1")
        store = store.apply(counter, [Counted("1", 5), Counted("1", 6)])
        must_equal(store.get(counter), Counter("1", 11, (5, 6)), "an unknown aggregate must begin with new()")
        _, store = store.dispatch(Count("1", 7))
        store = store.apply(counter, iter([Counted("1", 8)])).apply(gauge, (GaugeSet("1", 2.5),))
        must_equal(
            store.get(counter), Counter("1", 26, (5, 6, 7, 8)), "a known aggregate must go on from its state"
        )
        must_equal(store.get(gauge), Gauge("1", 2.5), "each event must go to the aggregate that was named")

    def test_a_forgotten_aggregate_begins_again(self, store: Any) -> None:
        counter = Identity(Counter, "1")
        for command in (Count("1", 3), SetGauge("1", 0.5), Count("2", 2)):
            _, store = store.dispatch(command)
        store = store.forget(counter)
        must_equal(store.get(counter), None, "a forgotten aggregate must be gone")
        store = store.forget(counter).forget(Identity(Counter, "9"))
        must_equal(store.get("Counter-2"), Counter("2", 2, (2,)), "the other aggregates must stay")
        must_equal(
            store.get("Gauge-1"), Gauge("1", 0.5), "an aggregate of another type with the same id must stay"
        )
        _, store = store.dispatch(Count("1", 1))
        must_equal(store.get(counter), Counter("1", 1, (1,)), "a forgotten aggregate must begin with new()")

    def test_many_events_and_many_aggregates_are_no_problem(self, store: Any) -> None:
        events, store = store.dispatch(CountAll("1", (1,) * 2000))
        must_equal((len(events), store.get("Counter-1").total), (2000, 2000), "2,000 events at once")
        for number in range(100):
            _, store = store.dispatch(Count(f"many {number}", number))
        totals = [store.get(Identity(Counter, f"many {number}")).total for number in range(100)]
        must_equal(totals, list(range(100)), "a hundred aggregates side by side")

    def test_commands_from_several_threads_are_all_carried_out(self, store: Any) -> None:
        writers = list(self.writers(store, 4))
        with ThreadPoolExecutor(len(writers)) as threads:
            stores = list(threads.map(_count, writers))
        total = 50 * len(writers)
        must_equal(
            stores[-1].get("Counter-1").total, total, "no update may be lost when several threads write"
        )

    def test_a_store_answers_as_the_in_memory_store_does(self) -> None:
        self.try_examples(st.lists(COMMAND | EVENTS | FORGET, min_size=1, max_size=15), self._compare)

    def _compare(self, operations: list[Any]) -> None:
        store: Any = self.new_store(self.types)
        model: Any = InMemoryAggregateStore()
        for operation in operations:
            wanted, model = _answer(model, operation)
            found, store = _answer(store, operation)
            must_equal(found, wanted, f"{operation!r} must get the same answer as from the in-memory store")
            for key in (f"{cls.__name__}-{id_}" for cls in (Counter, Gauge) for id_ in IDS):
                must_equal(
                    store.get(key),
                    model.get(key),
                    f"{key} after {operation!r} must be as in the in-memory store",
                )
        self.close(store)


def _answer(store: Any, operation: Any) -> tuple[Any, Any]:
    """The answer of a store to an operation, in plain values, and the store after it."""
    if isinstance(operation, Identity):
        return None, store.forget(operation)
    if isinstance(operation, tuple):
        counter_id, events = operation
        return None, store.apply(Identity(Counter, counter_id), events)
    answer, error = outcome(lambda: store.dispatch(operation), (Rejected, ModelError))
    if isinstance(error, Rejected):
        return (error.reason, dict(error.details)), store
    if isinstance(error, ModelError):
        return (error.callback, error.problem), store
    events, after = answer
    return list(events), after


def _count(store: Any) -> Any:
    for _ in range(50):
        _, store = store.dispatch(Count("1", 1))
    return store
