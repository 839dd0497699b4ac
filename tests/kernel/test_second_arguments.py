"""What a callback may know besides the message: the context of a command, the record of an event."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import Lab, Stack, dispatch, seeded_ids, ticking_clock
from calamity_lab.errors import ModelError
from calamity_lab.kernel import ask
from calamity_lab.kernel.in_memory_stores import InMemorySnapshotStore
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import rebuild, recover, take_snapshots
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.second_arguments import Context
from calamity_lab.kernel.steps import Appended, Executed
from calamity_lab.model import Model
from calamity_lab.probe.near_misses import near_misses
from calamity_lab.probe.possible import possible
from calamity_lab.probe.preview import preview
from calamity_lab.stores import OverlayEventStore, SQLEventStore
from calamity_lab.stores.actors.placement import one_for_all, one_for_each
from calamity_lab.stores.actors.threads import ThreadActors
from calamity_lab.trace.purity import advance_watched
from tests.kernel import told
from tests.kernel.outside import OutsideAggregates, OutsideEvents
from tests.kernel.running import finish, only, steps_of
from tests.kernel.told import AddNotes, Desk, OpenTicket, Ticket

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def new_stack(seed: int = 7, **given: Any) -> Stack:
    return Stack(process_manager_types=[Desk], clock=ticking_clock(NOON), ids=seeded_ids(seed), **given)


def states(stack: Stack) -> dict[str, Any]:
    """What the aggregate and the instance have heard."""
    return {name: stack.aggregates.get(name) for name in ("Ticket-1", "Ticket-1!")} | {
        "Desk-Ticket": stack.process_managers.get("Desk-Ticket")
    }


@pytest.fixture(scope="module")
def wanted() -> Stack:
    return dispatch(new_stack(), OpenTicket("1"), metadata={"user": "ada"})


def test_a_context_says_when_and_by_whom_and_gives_ids(wanted: Stack) -> None:
    first = next(iter(wanted.event_store))
    assert first.event.opened_at == first.recorded_at == NOON
    assert first.event.by == "ada"
    notes = [r for r in wanted.event_store if isinstance(r.event, told.NoteAdded)]
    drawn = [id_ for r in notes for id_ in (r.event.note_id, r.event.follow_up_id)]
    assert len({*drawn, first.event.number}) == len(drawn) + 1
    assert wanted == dispatch(new_stack(), OpenTicket("1"), metadata={"user": "ada"})


def test_the_state_knows_all_that_is_recorded_once_it_is_recorded(wanted: Stack) -> None:
    recorded = [r for r in wanted.event_store if r.stream_id == "Ticket-1"]
    heard = wanted.aggregates["Ticket-1"].heard
    assert [each[:4] for each in heard] == [
        (r.stream_version, r.position, r.event_id, r.recorded_at) for r in recorded
    ]
    assert [each[4:] for each in heard] == [
        (r.stream_id, r.causation_id, r.correlation_id, dict(r.metadata)) for r in recorded
    ]


def test_before_the_append_a_record_lacks_its_position_and_its_id() -> None:
    steps, _ = steps_of(new_stack(), OpenTicket("1"))
    executed, appended = steps[2], steps[3]
    assert isinstance(executed, Executed)
    assert isinstance(appended, Appended)
    (before,), (after,) = executed.states[0].heard, appended.states[0].heard
    assert before[1:3] == (0, "")
    assert after[1:3] == (1, appended.recorded[0].event_id)
    assert (before[0], *before[3:]) == (after[0], *after[3:])


def test_a_class_that_takes_the_event_only_is_folded_once() -> None:
    class Plain(Ticket):
        def apply(self, event: Any) -> Plain:  # type: ignore[override]
            asked.append(event)
            return self

    asked: list[Any] = []
    plain = type("Open", (OpenTicket,), {"aggregate": lambda self: (Plain, "1")})("1")
    steps, _ = steps_of(Stack(), plain)
    assert only(Appended, steps).states == ()
    assert len(asked) == 1


@contextmanager
def in_memory(path: Path) -> Iterator[Stack]:
    yield new_stack()


@contextmanager
def on_sqlite(path: Path) -> Iterator[Stack]:
    with SQLEventStore(f"sqlite:///{path}/events.db", told) as store:
        yield new_stack(event_store=store)


@contextmanager
def on_an_overlay(path: Path) -> Iterator[Stack]:
    with SQLEventStore(f"sqlite:///{path}/events.db", told) as store:
        yield new_stack(event_store=OverlayEventStore(store))


@contextmanager
def in_actors(path: Path, shape: Callable[..., Stack] = one_for_each) -> Iterator[Stack]:
    with ThreadActors() as actors:
        yield shape(new_stack(), actors)


@contextmanager
def outside(path: Path) -> Iterator[Stack]:
    class Aggregates(OutsideAggregates):
        def dispatch(self, command: Any, context: Any = None) -> Any:
            events, self.held = self.held.dispatch(command, context)
            return list(events), self

    yield new_stack(aggregates=Aggregates(), event_store=OutsideEvents())


@pytest.mark.parametrize(
    "place",
    [
        in_memory,
        on_sqlite,
        on_an_overlay,
        in_actors,
        functools.partial(in_actors, shape=one_for_all),
        outside,
    ],
)
def test_it_is_the_same_wherever_the_states_and_the_events_are(
    place: Any, tmp_path: Path, wanted: Stack
) -> None:
    with place(tmp_path) as stack:
        run = begin(stack, OpenTicket("1"), metadata={"user": "ada"})
        _, run = finish(run)
        assert list(run.stack.event_store.stream(ALL)) == list(wanted.event_store)
        assert states(run.stack) == states(wanted)
        for version in ("Ticket-1", "Ticket-1!"):
            assert run.stack.aggregate_versions.get(version) == wanted.aggregate_versions.get(version)
        _, again = finish(begin(run.stack, AddNotes("1")))
        assert len(again.stack.aggregates.get("Ticket-1").heard) == len(states(wanted)["Ticket-1"].heard) + 1


def test_a_rebuilt_and_a_recovered_stack_have_the_same_states(tmp_path: Path, wanted: Stack) -> None:
    assert states(rebuild(new_stack(event_store=wanted.event_store), [Ticket])) == states(wanted)
    snapshots = take_snapshots(Run(wanted), InMemorySnapshotStore())
    later = dispatch(wanted, AddNotes("1"))
    found = rebuild(new_stack(event_store=later.event_store), [Ticket], snapshots=snapshots)
    assert states(found) == states(later)
    with on_sqlite(tmp_path) as stack:
        dispatch(stack, OpenTicket("1"), metadata={"user": "ada"})
        assert states(recover(new_stack(event_store=stack.event_store), [Ticket]).stack) == states(wanted)


@pytest.mark.parametrize("count", range(4, 26, 3))
def test_after_a_crash_at_any_step_the_rest_happens_the_same(
    tmp_path: Path, wanted: Stack, count: int
) -> None:
    with on_sqlite(tmp_path) as stack:
        run = begin(stack, OpenTicket("1"), metadata={"user": "ada"})
        for _ in range(count):
            if not run.idle:
                _, run = advance(run)
        left = recover(new_stack(8, event_store=stack.event_store), [Ticket])
        _, left = finish(left)
        if not len(list(stack.event_store.stream(ALL))):
            return  # it was lost before anything was recorded, as any submitted command
        found = [type(r.event).__name__ for r in stack.event_store.stream(ALL)]
        assert sorted(found) == sorted(type(r.event).__name__ for r in wanted.event_store)
        rebuilt = rebuild(new_stack(event_store=stack.event_store), [Ticket])
        assert states(left.stack) == states(rebuilt)


def test_a_purity_watch_asks_twice_with_the_same_context(wanted: Stack) -> None:
    run = begin(new_stack(), OpenTicket("1"), metadata={"user": "ada"})
    while not run.idle:
        _, run = advance_watched(run)
    assert run.stack == wanted


def test_a_retry_after_a_conflict_gives_the_same_ids_and_the_time_of_the_retry() -> None:
    def meanwhile(store: OutsideEvents) -> None:
        store.append("Ticket-1", [told.NoteAdded("1", "x", "y")])

    steps, run = finish(begin(new_stack(event_store=OutsideEvents(meanwhile)), OpenTicket("1")))
    first, second = [s for s in steps if isinstance(s, Executed) and isinstance(s.command, OpenTicket)][:2]
    assert first.events[0].number == second.events[0].number
    recorded = list(run.stack.event_store.stream("Ticket-1"))
    assert recorded[1].event.opened_at == recorded[1].recorded_at
    assert [each[0] for each in run.stack.aggregates["Ticket-1"].heard][:2] == [1, 2]


def test_what_happens_to_a_clock_that_is_a_function_is_seen_by_the_event() -> None:
    times = iter(range(1, 60))
    stack = Stack(clock=lambda: NOON.replace(minute=next(times)))
    (recorded,) = dispatch(stack, OpenTicket("1")).event_store
    assert recorded.event.opened_at == recorded.recorded_at


def test_a_lab_shows_the_states_as_they_were_recorded(wanted: Stack) -> None:
    lab = Lab(told, clock=ticking_clock(NOON), ids=seeded_ids(7))
    lab.send(OpenTicket("1"))
    assert preview(lab.trace, 0, lab.agenda.pending[0]).sentence == "would record TicketOpened"
    lab.resume()
    frame = lab.aggregates.to_pandas()
    assert len(frame) == len([r for r in lab.events if r.stream_id.startswith("Ticket")])
    history = lab.state
    assert history is not None
    last = lab.trace[lab.trace.last].stack.aggregates["Ticket-1"]
    positions = [r.position for r in lab.events if r.stream_id == "Ticket-1"]
    assert [each[1] for each in last.heard] == positions


def test_what_is_possible_is_found_for_such_a_model() -> None:
    found = possible(Model.find(told))
    assert ("OpenTicket", "TicketOpened") in found.leads
    assert ("Desk", "AddNotes") in found.sends


def signature(name: str, source: str) -> Any:
    scope: dict[str, Any] = {"functools": functools}
    exec(source, scope)
    return scope[name]


TAKES = {
    "def execute(self, command): return (command,)": (),
    "def execute(self, command, context): return (command, context)": ("C",),
    "def execute(self, command, ctx): return (command, ctx)": ("C",),
    "def execute(self, command, /, context): return (command, context)": ("C",),
    "def execute(self, command, *, context): return (command, context)": ("C",),
    "def execute(self, command, context=None): return (command, context)": ("C",),
    "def execute(self, command, *, context=None): return (command, context)": ("C",),
    "def execute(self, command, limit=5): return (command, limit)": (5,),
    "def execute(self, command, limit=5, context=None): return (command, limit, context)": (5, "C"),
    "def execute(self, command, context, limit=5): return (command, context, limit)": ("C", 5),
    "def execute(self, *args): return args": (),
    "def execute(self, command, *args, **kwargs): return (command, *args, *kwargs)": (),
    "def execute(self, command, context, *args): return (command, context, *args)": ("C",),
    "def execute(*args): return args[1:]": (),
    "execute = staticmethod(lambda command, context: (command, context))": ("C",),
    "execute = classmethod(lambda cls, command, context: (command, context))": ("C",),
    "execute = functools.partialmethod(lambda self, a, command, context: (command, context), 1)": ("C",),
    "execute = functools.cache(lambda self, command, context: (command, context))": ("C",),
}


@pytest.mark.parametrize(("source", "gets"), TAKES.items())
def test_the_signature_says_what_a_callback_takes(source: str, gets: tuple[Any, ...]) -> None:
    cls = type("Thing", (), {"execute": signature("execute", source)})
    (first, *rest) = call(cls)
    assert (first, *rest) == ("do", *gets)


def call(cls: type, known: Any = "C") -> Any:
    """What ``execute`` of a new object got, straight and through a wrapper."""
    return ask._bare(cls(), "execute", "do", known)


def test_a_decorated_callback_is_seen_through_its_wrapper() -> None:
    def logged(method: Any) -> Any:
        @functools.wraps(method)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        return wrapper

    def narrow(method: Any) -> Any:
        @functools.wraps(method)
        def wrapper(self: Any, command: Any) -> Any:
            return method(self, command, "its own")

        return wrapper

    def execute(self: Any, command: Any, context: Any) -> Any:
        return command, context

    assert call(type("A", (), {"execute": logged(execute)})) == ("do", "C")
    assert call(type("B", (), {"execute": narrow(execute)})) == ("do", "its own")
    assert call(type("D", (), {"execute": logged(logged(execute))})) == ("do", "C")


def test_each_method_of_a_singledispatchmethod_may_take_it_or_not() -> None:
    class Thing:
        @functools.singledispatchmethod
        def execute(self, command: Any) -> Any:
            return (command,)

        @execute.register
        def _(self, command: str, context: Any) -> Any:
            return command, context

    assert call(Thing) == ("do", "C")
    assert ask._bare(Thing(), "execute", 5, "C") == (5,)

    @Thing.execute.register
    def _(self, command: int, *, context: Any) -> Any:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return command, context

    assert ask._bare(Thing(), "execute", 5, "C") == (5, "C")


WRONG = {
    (
        "execute",
        "def execute(self): ...",
    ): r"Thing\.execute takes no command; write `def execute\(self, command\)`",
    (
        "execute",
        "def execute(self, a, b, c): ...",
    ): r"Thing\.execute needs a, b, c; .*Other parameters need a default",
    ("execute", "def execute(self, a, *, limit): ..."): r"Thing\.execute needs a, limit;",
    ("execute", "def execute(self, **kwargs): ..."): r"Thing\.execute takes no command",
    (
        "apply",
        "def apply(self): ...",
    ): r"Thing\.apply takes no event; write `def apply\(self, event\)`, or `def "
    r"apply\(self, event, recorded\)`",
}


@pytest.mark.parametrize(("method", "source"), WRONG)
def test_a_signature_that_cannot_be_asked_is_named_when_stepping_and_before(method: str, source: str) -> None:
    fine = {
        "new": classmethod(lambda cls, id_: cls()),
        "execute": lambda self, command: told.NoteAdded("1", "a", "b"),
        "apply": lambda self, event: self,
    }
    thing = type("Thing", (), {**fine, method: signature(method, source)})
    do = type("Do", (), {"aggregate": lambda self: (thing, "1")})
    match = WRONG[method, source]
    for _ in range(2):
        with pytest.raises(ModelError, match=match) as caught:
            dispatch(Stack(), do())
    assert caught.value.run is not None
    (sentence,) = near_misses(Model.of([thing, do]))
    with pytest.raises(AssertionError, match=match):
        raise AssertionError(sentence)


def test_a_callback_that_takes_more_than_its_caller_knows_is_named() -> None:
    with pytest.raises(
        ModelError, match=r"Ticket\.execute takes a 'context' beside the command, and whoever"
    ):
        ask.execute(Ticket("1"), OpenTicket("1"))
    with pytest.raises(ModelError, match=r"Ticket\.apply takes a 'recorded'"):
        ask.apply(Ticket("1"), told.NoteAdded("1", "a", "b"))
    stack = new_stack(aggregates=OutsideAggregates())
    with pytest.raises(ModelError, match=r"Ticket\.execute takes a 'context'.*A store"):
        dispatch(stack, OpenTicket("1"))


def test_a_context_is_frozen_and_is_made_for_a_test() -> None:
    context = Context(NOON, "c1")
    event = Ticket("1").execute(OpenTicket("1"), context)
    assert event == Ticket("1").execute(OpenTicket("1"), Context(NOON, "c1"))
    assert context == Context(NOON, "c1")
    assert copy.deepcopy(context) == context
    with pytest.raises(AttributeError):
        context.now = NOON  # type: ignore[misc]
    assert context.new_id() != event.number, "each id is another"
    assert replace(context, command_id="c2").command_id == "c2"
