"""The conformance suite for process manager stores: subclass it, say how your store is made, run pytest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from calamity_lab.errors import ModelError
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.testing.models import (
    ERRANDS,
    MANAGERS,
    NOWHERE,
    Awaited,
    Count,
    Errand,
    ErrandDone,
    ErrandGiven,
    Notice,
    RainFell,
    StopReached,
    Visits,
    note_visit,
)
from calamity_lab.testing.suite import StoreSuite, must_equal, must_raise, outcome

IDS = ("e1", "ü-%s")
STOPS = ("mill", "inn", NOWHERE)
ID = st.sampled_from(IDS)
STOP = st.sampled_from(STOPS)
EVENT = st.one_of(
    st.builds(ErrandGiven, ID, st.lists(STOP, max_size=3).map(tuple)),
    st.builds(StopReached, ID, STOP),
    st.builds(StopReached, ID, STOP),
    st.builds(ErrandDone, ID),
    st.builds(RainFell),
)
# Together or one after the other: either way each type gets the event once.
ASKED = st.sampled_from([(MANAGERS,), ((Errand,), (Visits,)), ((Visits, Errand),)])
KEYS = tuple(Identity(cls, id_).stream_id for cls, ids in ((Errand, IDS), (Visits, STOPS)) for id_ in ids)


class ProcessManagerStoreConformance(StoreSuite):
    """All that a process manager store must do.

    Writing your own store? Subclass this suite and you get its tests::

        class TestMyProcessManagerStore(ProcessManagerStoreConformance):
            def new_store(self, types):
                return MyProcessManagerStore(types)

    Stores that are values and stores that change in place both pass: the suite goes on with the store that
    each call returns. Override ``close`` where your store needs more than its own ``close()``. Events come
    with rising positions, each to a type once.
    """

    types = ERRANDS

    def test_a_start_begins_an_instance_and_returns_its_commands(self, store: Any) -> None:
        reactions, store = hand_on(store, ErrandGiven("e1", ("mill", "inn")))
        wanted = [(Errand, "e1", "started", (Count("mill", 1), Count("inn", 2)))]
        must_equal(
            reactions[0],
            wanted,
            "a Start must be answered by started, with the commands of the instance in order",
        )
        must_equal(store.get("Errand-e1"), Errand("e1", ("mill", "inn")), "the event must have been applied")

    def test_a_start_for_a_running_instance_continues_it(self, store: Any) -> None:
        reactions, store = hand_on(store, ErrandGiven("e1", ("mill",)), ErrandGiven("e1", ("inn",)))
        wanted = [(Errand, "e1", "continued", (Count("inn", 1),))]
        must_equal(reactions[1], wanted, "a Start for an instance that runs must continue it")
        must_equal(
            store.get("Errand-e1"), Errand("e1", ("mill", "inn")), "the instance must go on from its state"
        )

    def test_a_continue_continues_the_instance(self, store: Any) -> None:
        reactions, store = hand_on(
            store,
            ErrandGiven("e1", ("mill", "inn")),
            StopReached("e1", "mill"),
            StopReached("e1", "inn"),
            types=(Errand,),
        )
        must_equal(
            reactions[1:],
            [[(Errand, "e1", "continued", (Count("mill", 1),))], [(Errand, "e1", "continued", ())]],
            "a Continue must be answered by continued, with the one command or with none",
        )
        must_equal(store.get("Errand-e1"), Errand("e1", (), ("mill", "inn")), "both must have been applied")

    def test_a_stop_ends_the_instance_without_a_command(self, store: Any) -> None:
        reactions, store = hand_on(store, ErrandGiven("e1", ("mill",)), ErrandDone("e1"))
        must_equal(
            reactions[1],
            [(Errand, "e1", "stopped", ())],
            "a Stop must be answered by stopped, without commands",
        )
        must_equal(store.get("Errand-e1"), None, "a stopped instance must be gone")
        reactions, store = hand_on(store, ErrandGiven("e1", ("inn",)), after=2)
        must_equal(
            reactions[0],
            [(Errand, "e1", "started", (Count("inn", 1),))],
            "a stopped instance may be started again",
        )
        must_equal(store.get("Errand-e1"), Errand("e1", ("inn",)), "and must then begin with new()")

    def test_a_continue_or_stop_without_an_instance_is_ignored(self, store: Any) -> None:
        for event in (StopReached("e1", "mill"), ErrandDone("e1")):
            reactions, store = hand_on(store, event, types=(Errand,))
            must_equal(
                reactions[0], [(Errand, "e1", "ignored", ())], f"{event!r} must be answered by ignored"
            )
            must_equal(store.get("Errand-e1"), None, f"{event!r} must not begin an instance")

    def test_an_event_of_no_interest_has_no_reactions(self, store: Any) -> None:
        reactions, store = hand_on(store, ErrandGiven("e1"), RainFell("here"))
        must_equal(
            reactions,
            [[(Errand, "e1", "started", ())], []],
            "an event that no type is interested in has no reaction",
        )

    def test_every_type_reacts_in_the_order_in_which_types_are_given(self, store: Any) -> None:
        _, store = hand_on(store, ErrandGiven("e1", ("mill", "inn")))
        to_errand = (Errand, "e1", "continued", (Count("mill", 1),))
        to_visits = (Visits, "mill", "started", (Count("mill", 1),))
        reactions, store = hand_on(store, StopReached("e1", "mill"), after=1)
        must_equal(reactions[0], [to_errand, to_visits], "reactions must come in the order of the types")
        reactions, store = hand_on(store, StopReached("e1", "inn"), types=(Visits, Errand), after=2)
        must_equal(
            [manager for manager, *_ in reactions[0]], [Visits, Errand], "also when the order is reversed"
        )
        must_equal(
            [store.get(key) for key in ("Errand-e1", "Visits-mill", "Visits-inn")],
            [Errand("e1", (), ("mill", "inn")), Visits("mill", 1), Visits("inn", 1)],
            "instances of every type must have their own state",
        )

    def test_an_event_may_concern_several_instances(self, store: Any) -> None:
        events = (ErrandGiven("e1"), StopReached("e1", "mill"), StopReached("e2", "mill"))
        reactions, store = hand_on(store, *events, types=(Notice,))
        must_equal(
            reactions,
            [
                [(Notice, "e1", "started", (Count("e1", 1),))],
                [
                    (Notice, "e1", "continued", (Count("e1", 2),)),
                    (Notice, "mill", "started", (Count("mill", 1),)),
                ],
                [(Notice, "e2", "ignored", ()), (Notice, "mill", "continued", (Count("mill", 2),))],
            ],
            "each instance that an event concerns must react, in the order of the answer of interested",
        )
        must_equal(
            [store.get("Notice-e1"), store.get("Notice-mill")],
            [Notice("e1", (1, 2)), Notice("mill", (2, 3))],
            "each must have its own state, made with the recorded event where apply takes it",
        )

    def test_deadlines_are_answered_as_they_are_among_the_commands(self, store: Any) -> None:
        reactions, store = hand_on(store, ErrandGiven("e1"), ErrandDone("e1"), types=(Awaited,))
        answers = tuple(Awaited("e1").handle(ErrandGiven("e1")))
        must_equal(
            reactions,
            [[(Awaited, "e1", "started", answers)], [(Awaited, "e1", "stopped", ())]],
            "After, At and Cancel must come as they were returned, in order; the kernel sets the deadlines",
        )

    def test_a_policy_answers_and_nothing_is_kept(self, store: Any) -> None:
        reactions, store = hand_on(store, StopReached("e1", "mill"), ErrandDone("e1"), types=(note_visit,))
        wanted = [[(note_visit, "policy", "answered", (Count("mill", 1),))], []]
        must_equal(reactions, wanted, "a policy must answer the events that it names, and no other")
        must_equal(store.get(Identity(note_visit, "policy")), None, "a policy must have no instance")

    def test_types_that_are_not_given_do_not_react(self, store: Any) -> None:
        reactions, store = hand_on(store, StopReached("e1", "mill"), types=())
        must_equal(reactions, [[]], "where no type is given there is no reaction")
        must_equal(store.get("Visits-mill"), None, "a type that is not given must not react")

    def test_instances_do_not_mix(self, store: Any) -> None:
        ids = ("e1", "e2", "ü-%s")
        _, store = hand_on(store, *(ErrandGiven(id_, (id_,)) for id_ in ids), StopReached("e2", "e2"))
        must_equal(
            [store.get(Identity(Errand, id_)) for id_ in ids],
            [Errand("e1", ("e1",)), Errand("e2", (), ("e2",)), Errand("ü-%s", ("ü-%s",))],
            "an event must only reach the instance that it names",
        )

    def test_an_instance_is_read_by_stream_id_and_by_identity(self, store: Any) -> None:
        _, store = hand_on(store, ErrandGiven("e1"))
        nothing = object()
        for key in ("Errand-e1", Identity(Errand, "e1"), Identity("Errand", "e1")):
            must_equal(store.get(key), Errand("e1"), f"get({key!r}) must return the instance")
        must_equal(
            store.get("Errand-e9", nothing), nothing, "get must return the default for an unknown instance"
        )

    def test_an_error_in_the_model_leaves_the_instance_as_it_was(self, store: Any) -> None:
        _, store = hand_on(store, ErrandGiven("e1", ("mill",)))
        with must_raise(ModelError, "an error in the model must raise ModelError") as raised:
            hand_on(store, StopReached("e1", NOWHERE), types=(Errand,), after=1)
        must_equal(raised[0].callback, "Errand.handle", "the error must name the callback")
        must_equal(store.get("Errand-e1"), Errand("e1", ("mill",)), "and the instance must stay as it was")
        _, store = hand_on(store, StopReached("e1", "mill"), types=(Errand,), after=2)
        must_equal(store.get("Errand-e1"), Errand("e1", (), ("mill",)), "the store must be usable afterwards")

    def test_a_store_answers_as_the_in_memory_store_does(self) -> None:
        self.try_examples(st.lists(st.tuples(EVENT, ASKED), min_size=3, max_size=15), self._compare)

    def _compare(self, events: list[tuple[Any, Any]]) -> None:
        store: Any = self.new_store(self.types)
        model: Any = InMemoryProcessManagerStore()
        for recorded, (event, asked) in zip(record(event for event, _ in events), events, strict=True):
            # Where one of several types breaks, what the others did is not defined: then one type at a time.
            breaks = isinstance(event, StopReached) and event.stop == NOWHERE
            for types in ((Errand,), (Visits,)) if breaks else asked:
                wanted, model = _answer(model, recorded, types)
                found, store = _answer(store, recorded, types)
                must_equal(found, wanted, f"{event!r} must get the same answer as from the in-memory store")
            for key in KEYS:
                must_equal(
                    store.get(key), model.get(key), f"{key} after {event!r} must be as in the in-memory store"
                )
        self.close(store)


def record(events: Iterable[Any], *, after: int = 0) -> list[RecordedEvent]:
    """The events as a store records them, at positions after that one."""
    store = InMemoryEventStore(ids=seeded_ids(after)).append("Other-1", [RainFell()] * after)
    return list(store.append("Errands-1", list(events)).stream("Errands-1"))


def hand_on(
    store: Any, *events: Any, types: tuple[type, ...] = MANAGERS, after: int = 0
) -> tuple[list[list[tuple[Any, ...]]], Any]:
    """The reactions to each event in plain values, and the store after all of them."""
    answers = []
    for recorded in record(events, after=after):
        reactions, store = store.handle_event(recorded, types)
        answers.append([(r.manager, r.id, str(r.verb), tuple(r.commands)) for r in reactions])
    return answers, store


def _answer(store: Any, recorded: RecordedEvent, types: tuple[type, ...]) -> tuple[Any, Any]:
    answer, error = outcome(lambda: store.handle_event(recorded, types), (ModelError,))
    if isinstance(error, ModelError):
        return error.callback, store
    reactions, after = answer
    return [(r.manager, r.id, str(r.verb), tuple(r.commands)) for r in reactions], after
