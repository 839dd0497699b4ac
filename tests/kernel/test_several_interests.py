"""One event may concern several instances of a process manager: each gets it, in order, as a step."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab import Continue, Lab, Stack, Start, Stop, dispatch, seeded_ids, ticking_clock
from calamity_lab.errors import ModelError
from calamity_lab.kernel import ask
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.steps import AtProcessManager
from calamity_lab.model import Model
from calamity_lab.probe.possible import possible
from calamity_lab.stores import OverlayEventStore, ProcessManagerWorker, SQLEventStore
from calamity_lab.stores.actors.placement import one_for_all, one_for_each
from calamity_lab.stores.actors.threads import ThreadActors
from tests.kernel import trading
from tests.kernel.durable import copy_of
from tests.kernel.running import finish
from tests.kernel.trading import Leave, Left, Trade, Traded, Trader

NAMES = st.sampled_from(["ann", "bob", "cy", "witness"])
COMMANDS = st.lists(
    st.builds(Trade, st.just("m"), NAMES, NAMES, st.integers(1, 9))
    | st.builds(Leave, st.just("m"), NAMES, NAMES),
    min_size=1,
    max_size=6,
)
STORY = (
    Trade("m", "ann", "bob", 5),
    Trade("m", "bob", "witness", 3),
    Leave("m", "bob", "ann"),
    Trade("m", "ann", "bob"),
)


def new_stack(seed: int = 7, **given: Any) -> Stack:
    return Stack(process_manager_types=[Trader], clock=ticking_clock(), ids=seeded_ids(seed), **given)


def traders(stack: Stack) -> dict[str, Any]:
    """The instances and their versions, for those that are there."""
    names = [f"Trader-{name}" for name in ("ann", "bob", "cy", "witness")]
    there = {name: stack.process_managers.get(name) for name in names}
    versions = stack.process_manager_versions
    return {name: (state, versions.get(name)) for name, state in there.items() if state is not None}


def by_hand(stack: Stack) -> dict[str, Any]:
    """The same, by the rules of Start, Continue and Stop."""
    states: dict[str, Any] = {}
    versions: dict[str, int] = {}
    for recorded in stack.event_store.stream(ALL):
        for interest in ask.interested(Trader, recorded.event):
            name = f"Trader-{interest.id}"
            if name not in states and not isinstance(interest, Start):
                continue
            versions[name] = versions.get(name, 0) + 1
            if isinstance(interest, Stop):
                del states[name]
            else:
                states[name] = states.get(name, Trader(interest.id)).apply(recorded.event)
    return {name: (state, versions[name]) for name, state in states.items()}


def test_each_instance_has_a_step_of_its_own_in_the_order_of_the_answer() -> None:
    steps, run = finish(begin(new_stack(), *STORY))
    at_traders = [s for s in steps if isinstance(s, AtProcessManager)]
    assert [(s.kind, s.stream_id) for s in at_traders if s.trigger.event == Traded("ann", "bob", 5)] == [
        ("Started", "Trader-ann"),
        ("Started", "Trader-bob"),
        ("Ignored", "Trader-witness"),
    ]
    assert [(s.kind, s.stream_id) for s in at_traders if isinstance(s.trigger.event, Left)] == [
        ("Stopped", "Trader-bob"),
        ("Continued", "Trader-ann"),
    ]
    first = [s for s in at_traders if s.trigger.event == Traded("ann", "bob", 5)]
    assert [c.command.trader for s in first for c in s.commands] == ["ann", "bob"]
    assert traders(run.stack) == by_hand(run.stack)


def test_at_each_step_only_those_instances_have_changed_that_had_their_step() -> None:
    run = begin(new_stack(), Trade("m", "ann", "bob"))
    seen = []
    while not run.idle:
        _, run = advance(run)
        seen.append(tuple(traders(run.stack)))
    assert ("Trader-ann",) in seen
    assert seen.index(("Trader-ann",)) + 1 == seen.index(("Trader-ann", "Trader-bob"))


@settings(max_examples=40, deadline=None)
@given(COMMANDS)
def test_instances_are_those_of_the_rules_by_hand(commands: list[Any]) -> None:
    _, run = finish(begin(new_stack(), *commands))
    assert traders(run.stack) == by_hand(run.stack)
    assert traders(rebuild(new_stack(event_store=run.stack.event_store))) == by_hand(run.stack)


def finished(stack: Stack, commands: Any) -> Stack:
    for each in commands:
        _, run = finish(begin(stack, each))
        stack = run.stack
    return stack


@settings(max_examples=15, deadline=None)
@given(COMMANDS)
def test_it_is_the_same_in_every_store(commands: list[Any]) -> None:
    wanted = finished(new_stack(), commands)
    with ExitStack() as opened:
        sql = opened.enter_context(SQLEventStore("sqlite://", trading))
        base = opened.enter_context(SQLEventStore("sqlite://", trading))
        actors = [opened.enter_context(ThreadActors()) for _ in "ab"]
        for stack in (
            new_stack(event_store=sql),
            new_stack(event_store=OverlayEventStore(base)),
            one_for_each(new_stack(), actors[0]),
            one_for_all(new_stack(), actors[1]),
        ):
            found = finished(stack, commands)
            assert list(found.event_store.stream(ALL)) == list(wanted.event_store)
            assert traders(found) == traders(wanted)


def shown(steps: list[Any]) -> list[Any]:
    at_traders = [s for s in steps if isinstance(s, AtProcessManager)]
    return [(s.kind, s.stream_id, s.before, s.after, s.commands) for s in at_traders]


def test_the_steps_show_the_same_states_over_actors() -> None:
    wanted, _ = finish(begin(new_stack(), *STORY))
    with ThreadActors() as actors:
        found, _ = finish(begin(one_for_each(new_stack(), actors), *STORY))
    assert shown(found) == shown(wanted)


def test_after_a_crash_at_any_step_nothing_is_lost_and_nothing_happens_twice() -> None:
    wanted = finished(new_stack(), STORY)
    with SQLEventStore("sqlite://", trading) as store:
        before = finished(new_stack(event_store=store), STORY[:2])
        run = begin(before, *STORY[2:3])
        copies = []
        while not run.idle:
            _, run = advance(run)
            copies.append(copy_of(store))
        finished(run.stack, STORY[3:])
        for copy in copies:
            _, left = finish(recover(new_stack(8, event_store=copy)))
            if any(isinstance(r.event, Left) for r in copy.stream(ALL)):
                left_over = finished(left.stack, STORY[3:])
                assert dict(left_over.process_managers) == dict(wanted.process_managers)
            copy.close()


def test_a_worker_hands_an_event_to_each_instance(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    wanted = finished(new_stack(), STORY)
    with SQLEventStore(url, trading) as store, SQLEventStore(url, trading) as theirs:
        here = Stack(event_store=store, process_managers_begin={"Trader": "elsewhere"})
        with ProcessManagerWorker(Stack(process_manager_types=[Trader], event_store=theirs)) as worker:
            for each in STORY:
                here = dispatch(here, each)
            last = max(r.position for r in store.stream(ALL) if isinstance(r.event, Traded))
            assert worker.wait_for(last, timeout=60)
            assert worker.error is None
        assert traders(worker.stack) == traders(wanted)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            [Start("1"), Stop("1")],
            r"named the instance Watcher-1 more than once for .*one Start, Continue or Stop",
        ),
        ([Start("1"), Continue(1)], r"named the instance Watcher-1 more than once"),
        ([Start("1"), None], r"returned None .*a list of these or None"),
        (["1"], r"returned '1' .*a list of these or None"),
        ((Start("1"), Start(None)), r"returned Start\(id=None\) .* an instance needs an id"),
    ],
)
def test_an_answer_that_names_no_instances_is_a_clear_error(answer: Any, problem: str) -> None:
    watcher = type("Watcher", (Trader,), {"interested": classmethod(lambda cls, event: answer)})
    with pytest.raises(ModelError, match=rf"Watcher\.interested {problem}"):
        dispatch(Stack(process_manager_types=[watcher]), Trade("m", "ann", "bob"))


def test_what_is_possible_and_the_lab_know_of_each() -> None:
    found = possible(Model.find(trading))
    wanted = {("Traded", "start"), ("Traded", "continue"), ("Left", "stop")}
    assert wanted <= {(event, verb) for event, _, verb in found.reactions}
    lab = Lab(trading)
    lab.send(*STORY)
    lab.resume()
    assert set(lab.process_managers) == {"Trader-ann", "Trader-bob", "Trader-witness"}
    assert "Trader" in lab.to_mermaid()
