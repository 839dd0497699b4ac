"""Policies and deciders: a process manager without state, and an aggregate, each made of functions."""

from __future__ import annotations

import copy
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab import (
    Context,
    Decider,
    Lab,
    RecordedEvent,
    Stack,
    Start,
    dispatch,
    policy,
    seeded_ids,
    ticking_clock,
)
from calamity_lab.errors import InvalidModel, ModelError, Rejected
from calamity_lab.kernel.in_memory_stores import InMemorySnapshotStore
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import rebuild, recover, take_snapshots
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.steps import Answered, Ignored
from calamity_lab.model import Model
from calamity_lab.probe.possible import possible
from calamity_lab.stores import OverlayEventStore, ProcessManagerWorker, SQLEventStore, SQLSnapshotStore
from calamity_lab.stores.actors.placement import one_for_all, one_for_each
from calamity_lab.stores.actors.threads import ThreadActors
from calamity_lab.trace.sentences import fact
from tests.kernel import functions
from tests.kernel.durable import copy_of
from tests.kernel.functions import (
    Account,
    Money,
    Open,
    Opened,
    Paid,
    Pay,
    Welcome,
    Welcomed,
    decide,
    evolve,
    remind,
    welcome,
)
from tests.kernel.running import finish


class AccountByHand:
    """What `Account` is, written as a class."""

    stored_name = "Account"

    def __init__(self, id: str, state: Money) -> None:  # noqa: A002 - as the decider's
        self.id, self.state = id, state

    @classmethod
    def new(cls, account_id: str) -> AccountByHand:
        return cls(account_id, Money())

    def execute(self, command: Any, context: Context) -> Any:
        return decide(command, self.state, context)

    def apply(self, event: Any) -> AccountByHand:
        return AccountByHand(self.id, evolve(self.state, event))


class ByHand:
    """A process manager without state, written out."""

    def __init__(self, id: str) -> None:  # noqa: A002 - the contract's name
        self.id = id

    @classmethod
    def new(cls, id: str) -> Any:  # noqa: A002
        return cls(id)

    def apply(self, event: Any) -> Any:
        return self


class WelcomeByHand(ByHand):
    stored_name = "welcome"

    @classmethod
    def interested(cls, event: Any) -> Any:
        return Start("policy") if isinstance(event, Opened) else None

    def handle(self, event: Any) -> Any:
        return [Welcome(event.account_id), Pay(event.account_id, 5)]


class RemindByHand(ByHand):
    stored_name = "remind"

    @classmethod
    def interested(cls, event: Any) -> Any:
        return Start("policy") if isinstance(event, (Paid, Welcomed)) else None

    def handle(self, event: Any, recorded: RecordedEvent) -> Any:
        return Pay("nobody", recorded.position) if isinstance(event, Welcomed) else None


IDS = st.sampled_from(["1", "2"])
COMMANDS = st.lists(
    st.builds(Open, IDS) | st.builds(Pay, IDS, st.integers(1, 5)) | st.builds(Welcome, IDS), max_size=5
)
STORY = (Open("1"), Pay("1", 3), Open("2"))


def new_stack(*managers: type, seed: int = 7, **given: Any) -> Stack:
    managers = managers or (welcome, remind)
    return Stack(process_manager_types=managers, clock=ticking_clock(), ids=seeded_ids(seed), **given)


def finished(stack: Stack, commands: Any) -> Run:
    for each in commands:
        _, run = finish(begin(stack, each))
        stack = run.stack
    return Run(stack)


@settings(max_examples=40, deadline=None)
@given(COMMANDS)
def test_a_policy_is_the_process_manager_that_is_written_by_hand(commands: list[Any]) -> None:
    found = finished(new_stack(), commands).stack
    wanted = finished(new_stack(WelcomeByHand, RemindByHand), commands).stack
    assert list(found.event_store) == list(wanted.event_store)
    assert found.aggregates == wanted.aggregates
    assert not found.process_managers, "a policy keeps nothing"
    assert not found.process_manager_versions


@settings(max_examples=40, deadline=None)
@given(COMMANDS)
def test_a_decider_is_the_class_that_is_written_by_hand(commands: list[Any]) -> None:
    found = finished(new_stack(), commands).stack
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(functions, "Account", AccountByHand)
        wanted = finished(new_stack(), commands).stack
    assert list(found.event_store) == list(wanted.event_store)
    assert {key: (a.id, a.state) for key, a in found.aggregates.items()} == {
        key: (a.id, a.state) for key, a in wanted.aggregates.items()
    }


def test_a_policy_is_a_step_that_says_what_it_did() -> None:
    steps, run = finish(begin(new_stack(), Open("1")))
    (first, *_) = answered = [s for s in steps if isinstance(s, Answered)]
    assert [pending.command for pending in first.commands] == [Welcome("1"), Pay("1", 5)]
    assert (first.before, first.after, first.stream_id) == (None, None, "welcome-policy")
    assert [s.identity.category for s in answered].count("remind") == 3
    assert not run.stack.process_managers


def test_a_command_that_a_policy_sent_is_rejected_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="calamity_lab"):
        steps, _ = finish(begin(new_stack(), Open("1")))
    refused = [s for s in steps if s.rejected is not None]
    assert [s.rejected.reason for s in refused] == ["not open"]
    assert "Pay was rejected (not open (amount 3)), and remind-policy has no handle_rejection" in caplog.text
    assert not any(isinstance(s, Ignored) for s in steps)


def test_a_policy_works_in_every_store() -> None:
    wanted = finished(new_stack(), STORY).stack
    with ExitStack() as opened:
        sql = opened.enter_context(SQLEventStore("sqlite://", functions))
        base = opened.enter_context(SQLEventStore("sqlite://", functions))
        actors = [opened.enter_context(ThreadActors()) for _ in "ab"]
        for stack in (
            new_stack(event_store=sql),
            new_stack(event_store=OverlayEventStore(base)),
            one_for_each(new_stack(), actors[0]),
            one_for_all(new_stack(), actors[1]),
        ):
            found = finished(stack, STORY).stack
            assert list(found.event_store.stream(ALL)) == list(wanted.event_store)
            assert {key: found.aggregates.get(key) for key in wanted.aggregates} == dict(wanted.aggregates)
            assert not len(found.process_managers)


def test_after_a_crash_at_any_step_what_a_policy_sent_is_carried_out_once() -> None:
    wanted = finished(new_stack(), STORY[:1]).stack
    with SQLEventStore("sqlite://", functions) as store:
        run, copies = begin(new_stack(event_store=store), *STORY[:1]), []
        while not run.idle:
            _, run = advance(run)
            copies.append(copy_of(store))
        for copied in copies:
            _, left = finish(recover(new_stack(seed=8, event_store=copied), [Account]))
            if len(list(copied.stream(ALL))):
                assert dict(left.stack.aggregates) == dict(wanted.aggregates)
                assert not left.stack.process_managers
            copied.close()


def test_a_worker_runs_a_policy(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    with SQLEventStore(url, functions) as store, SQLEventStore(url, functions) as theirs:
        here = Stack(event_store=store)
        with ProcessManagerWorker(new_stack(welcome, seed=9, event_store=theirs)) as worker:
            here = dispatch(here, Open("1"))
            assert worker.wait_for(4, timeout=60)
        assert rebuild(here, [Account]).aggregates["Account-1"].state == Money(6, True)


def test_a_decider_is_kept_by_snapshots_and_copied_with_errors(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    run = finished(new_stack(welcome), STORY)
    again = rebuild(new_stack(welcome, event_store=run.stack.event_store), [Account])
    assert again.aggregates == run.stack.aggregates
    with SQLEventStore(url, functions) as store, SQLSnapshotStore(url, [Account]) as snapshots:
        there = finished(new_stack(welcome, event_store=store), STORY)
        take_snapshots(there, snapshots)
        assert snapshots.get("Account-1", Account).state == there.stack.aggregates["Account-1"]
    with pytest.raises(Rejected) as rejected:
        dispatch(run.stack, Open("1"))
    assert copy.deepcopy(rejected.value.run.stack.aggregates) == run.stack.aggregates
    assert take_snapshots(run, InMemorySnapshotStore()).get("Account-1", Account) is not None


def test_a_lab_finds_both_and_shows_them() -> None:
    model = Model.of([Account, Open, Pay, Welcome, welcome, remind])
    assert {welcome, remind} <= set(model.process_managers)
    assert Account in model.aggregates
    assert {Opened, Paid, Welcomed} == set(model.events)
    assert {Open, Pay, Welcome} == set(model.commands)
    lab = Lab(aggregates=[Account], commands=[Open, Pay, Welcome], process_managers=[welcome, remind])
    lab.send(Open("1"))
    lab.resume()
    assert "welcome answered Opened with Welcome, Pay" in [fact(each) for each in lab.steps]
    assert lab.aggregates["Account-1"].state == Money(6, True)
    assert "welcome" in lab.to_mermaid()
    assert not len(lab.process_managers)
    assert len(lab.aggregates.to_pandas())
    assert (
        not [row for row in lab.state.view.rows if row.kind == "process manager"]
        if hasattr(lab.state, "view")
        else True
    )


def test_what_is_possible_is_found() -> None:
    model = Model.of([Account, Open, Pay, Welcome, welcome, remind])
    found = possible(model)
    assert {("Opened", "welcome", "answer"), ("Paid", "remind", "answer")} <= set(found.reactions)
    assert {("welcome", "Welcome"), ("welcome", "Pay"), ("remind", "Pay")} <= set(found.sends)
    assert {("Open", "Opened"), ("Pay", "Paid")} <= set(found.leads)


def test_a_policy_can_still_be_called_and_may_have_another_stored_name() -> None:
    assert welcome(Opened("1")) == [Welcome("1"), Pay("1", 5)]

    @policy(stored_name="greeting")
    def greet(event: Opened) -> Any:
        return Welcome(event.account_id)

    steps, _ = finish(begin(new_stack(greet), Open("1")))
    assert [s.stream_id for s in steps if isinstance(s, Answered)] == ["greeting-policy"]


class Speaks(Protocol):
    def speak(self) -> None: ...


def unannotated(event): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201


def of_a_text(event: str) -> Any: ...
def of_anything(event: Any) -> Any: ...
def of_none(event: Opened | None) -> Any: ...
def of_a_protocol(event: Speaks) -> Any: ...
def of_a_list(event: list[Opened]) -> Any: ...
def of_nothing() -> Any: ...
def of_three(event: Opened, recorded: Any, more: Any) -> Any: ...
async def late(event: Opened) -> Any: ...
def unreadable(event: "Opened |") -> Any: ...  # type: ignore[syntax]  # noqa: F722


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (unannotated, r"@policy unannotated\(event\) does not say which events it answers\. Annotate"),
        (of_a_text, r"@policy of_a_text\(event\) is annotated with str, in which str is no class of events"),
        (of_anything, r"annotated with Any, in which .*Any is no class of events"),
        (of_none, r"in which NoneType is no class of events"),
        (of_a_protocol, r"in which Speaks is no class of events"),
        (of_a_list, r"in which list.* is no class of events"),
        (of_nothing, r"@policy of_nothing takes no event\. Write of_nothing\(event: AccountOpened\), or"),
        (of_three, r"@policy of_three needs event, recorded, more"),
        (late, r"@policy late: write a def that returns commands"),
        (unreadable, r"its annotation .*Opened \|.* raised"),
        (partial(of_three), r"@policy stands above a function, and found functools.partial"),
        (lambda event: None, r"@policy stands above a function"),
        (Opened, r"@policy stands above a function"),
    ],
)
def test_a_policy_that_cannot_be_is_named(function: Any, problem: str) -> None:
    with pytest.raises(InvalidModel, match=problem):
        policy(function)


def test_an_event_may_be_defined_after_the_policy() -> None:
    scope: dict[str, Any] = {"policy": policy, "__name__": "later"}
    exec("@policy\ndef greet(event: 'Gone'): return None", scope)
    with pytest.raises(
        InvalidModel, match=r"greet\(event\) is annotated with .*, but there is no 'Gone' in later"
    ):
        Model.of([scope["greet"]])
    scope["Gone"] = Opened
    assert scope["greet"].events == (Opened,)


def three(command: Any, state: Any, context: Any, more: Any) -> Any: ...
def swapped(state: Any, command: Any) -> Any: ...
def swapped_by_type(account: Money, order: Any) -> Any: ...
def swapped_evolve(event: Any, state: Any) -> Any: ...


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("Account", Money, decide, evolve), r"initial=Money\): give a state, as in Money\(\)"),
        (
            ("An account", Money(), decide, evolve),
            r"name='An account'\): give the name of the var",
        ),
        (("Account", Money(), None, evolve), r"decide=None\): give a function decide\(command, state\)"),
        (("Account", Money(), decide, Money), r"give a function evolve\(state, event\)"),
        (
            ("Account", Money(), three, evolve),
            r"decide needs .*Write decide\(command, state\), or",
        ),
        (
            ("Account", Money(), swapped, evolve),
            r"takes \(state, command\)\. The order is decide\(command",
        ),
        (("Account", Money(), swapped_by_type, evolve), r"takes \(account, order\)\. The order is decide"),
        (
            ("Account", Money(), decide, swapped_evolve),
            r"takes \(event, state\)\. The order is evolve\(state",
        ),
    ],
)
def test_a_decider_that_cannot_be_is_named(given: Any, problem: str) -> None:
    with pytest.raises(InvalidModel, match=problem):
        Decider(*given)


def test_an_evolve_without_a_case_is_named() -> None:
    Holder = Decider("Holder", Money(), decide, lambda state, event: None)  # noqa: N806
    with pytest.raises(ModelError, match=r"Holder\.evolve returned None for Opened.*return state"):
        Holder.new("1").apply(Opened("1"))


def test_a_decider_may_begin_by_its_id_and_take_the_record() -> None:
    def decide_all(command: Any, state: Any, *, context: Context) -> Any:
        return Opened(context.command_id)

    def evolve_all(state: tuple[Any, ...], event: Any, recorded: RecordedEvent) -> tuple[Any, ...]:
        return (*state, recorded.position)

    Log = Decider("Log", lambda id_: (id_,), decide_all, evolve_all)  # noqa: N806
    do = dataclass(frozen=True)(type("Do", (), {"aggregate": lambda self: (Log, "a")}))
    stack = dispatch(dispatch(Stack(), do()), do())
    assert stack.aggregates["Log-a"].state == ("a", 1, 2)
