"""A trace keeps every moment, and its index knows what is where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import InvalidValue, OutOfRange
from calamity_lab.examples import bank
from calamity_lab.examples.bank import DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.kernel.agenda import Agenda
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, Completed, Dispatched, Refused
from calamity_lab.model import Model
from calamity_lab.trace.index import Index
from calamity_lab.trace.inputs import AfterStep, Chosen, Dropped, Submitted
from calamity_lab.trace.trace import Trace


def recorded(*commands: object, projections: tuple[type, ...] = ()) -> Trace:
    """A trace of the bank, run to its end."""
    stack = Stack(process_manager_types=(Transfer,), ids=seeded_ids(1), clock=ticking_clock())
    trace = Trace.of(stack, Model(projections=projections)).put(0, Submitted(commands))
    while not trace[trace.last].run.idle:
        trace = trace.append(*advance(trace[trace.last].run))
    return trace


def test_the_first_moment_is_the_one_before_anything_happened() -> None:
    trace = recorded()
    assert len(trace) == 1
    assert trace[0].step is None
    assert repr(trace[0]) == "Nothing has happened yet"


def test_a_moment_holds_its_step_and_the_stack_after_it() -> None:
    trace = recorded(DepositFunds("1", 50), WithdrawFunds("1", 20))
    balances = [moment.stack.aggregates.get("BankAccount-1") for moment in trace]
    assert [None if b is None else b.balance for b in balances[:5]] == [None, None, None, None, 50]
    assert balances[-1] is not None
    assert balances[-1].balance == 30
    assert [moment.index for moment in trace] == list(range(len(trace)))


def test_the_index_of_a_trace_agrees_with_a_walk_over_its_steps() -> None:
    trace = recorded(*bank.story())
    steps = list(trace.steps)
    index = trace.index
    assert list(index.dispatched) == [s.index for s in steps if isinstance(s, Dispatched)]
    assert list(index.completed) == [s.index for s in steps if isinstance(s, Completed)]
    assert list(index.rejections) == [s.index for s in steps if isinstance(s, Refused)]
    events = [event for s in steps if isinstance(s, Appended) for event in s.recorded]
    assert list(index.events) == events == list(trace[-1].stack.event_store)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_index_upto_a_moment_is_the_one_that_there_was(data: st.DataObject) -> None:
    types = data.draw(st.sampled_from([(), (Turnover, BankTotals)]))
    commands = bank.random_commands(data.draw(st.integers(0, 60)), seed=data.draw(st.integers(0, 9)))
    trace = recorded(*commands, projections=types)
    moment = data.draw(st.integers(0, trace.last))
    rebuilt = Index.of(trace[0].stack, types)
    for step in list(trace.steps)[:moment]:
        rebuilt = rebuilt.add(step, lambda at: trace[at].step)
    assert trace.branch.index_at(moment) == rebuilt
    forked = trace.fork(moment)
    for at in range(moment + 1, trace.last + 1):
        forked = forked.append(*advance(forked[at - 1].run))
    assert [forked.index.reactions, forked.index.cascades] == [trace.index.reactions, trace.index.cascades]
    assert forked.index.projections.histories == trace.index.projections.histories


def test_an_input_in_the_past_forks_and_keeps_what_was() -> None:
    trace = recorded(DepositFunds("1", 50))
    before = list(trace)
    forked = trace.put(2, Submitted((WithdrawFunds("1", 5),)))
    assert forked.branch.name == "branch 1"
    assert (forked.branch.parent, forked.branch.forked_at) == ("main", 2)
    assert len(forked) == 3
    assert forked[:2] == tuple(before[:2])
    assert list(forked.switch("main")) == before


def test_a_branch_that_was_removed_is_not_entered_again_and_the_others_are() -> None:
    trace = recorded(DepositFunds("1", 50))
    once, other = (Submitted((WithdrawFunds("1", amount),)) for amount in (5, 6))
    first = trace.put(2, once)
    first = first.append(*advance(first[2].run))
    child = first.put(2, other)
    assert child.switch("main").put(2, once).branch is first.branch
    assert first.switch("main").put(2, other).branch.name == "branch 2"
    left = child.remove(first.branch.name).switch("main")
    again = left.put(2, once)
    assert again.branch.name not in left.branches
    assert again.switch("main").put(2, once).branch is again.branch
    assert child.switch(first.branch.name).put(2, other).branch is child.branch


def test_a_step_and_a_move_cost_the_same_however_many_branches_there_are() -> None:
    trace = recorded(DepositFunds("1", 50))
    for at in [2] * 40:
        trace = trace.switch("main").fork(at)
    trace = trace.switch("main").put(trace.switch("main").last, Submitted((WithdrawFunds("1", 5),)))
    stepped = trace.append(*advance(trace[trace.last].run))
    assert stepped.branches.kept is trace.branches.kept
    assert stepped.branches["main"] is stepped.branch
    assert stepped.switch("branch 1").branches["main"] is stepped.branch
    assert list(stepped.branches) == ["main", *(f"branch {n}" for n in range(1, 41))]


def test_a_branch_tells_every_input_that_led_to_it() -> None:
    trace = recorded(DepositFunds("1", 50), WithdrawFunds("1", 20))
    ids = [pending.command_id for pending in trace[0].agenda.entries()]
    forked = trace.put(0, Chosen(ids[1], "WithdrawFunds"))
    sent, chose = forked.branch.inputs
    commands = (DepositFunds("1", 50), WithdrawFunds("1", 20))
    assert sent[:3] == (Submitted(commands, command_ids=tuple(ids)), 0, None)
    assert chose[:3] == (Chosen(ids[1], "WithdrawFunds"), 0, None)
    assert not sent.before.agenda
    assert list(chose.before.agenda) == list(commands)
    assert [entry.input.described() for entry in forked.branch.inputs] == [
        "sent DepositFunds, WithdrawFunds",
        "chose WithdrawFunds",
    ]
    assert list(forked[0].agenda) == [WithdrawFunds("1", 20), DepositFunds("1", 50)]


def test_an_input_tells_after_which_step_of_which_command_it_was_put() -> None:
    trace = recorded(DepositFunds("1", 50), WithdrawFunds("1", 20))
    second = trace.index.dispatched[1]
    command_id = trace[0].agenda.pending[1].command_id
    forked = trace.put(second + 1, Submitted((DepositFunds("1", 1),)))
    assert forked.branch.inputs[-1].after == AfterStep(command_id, 2)


def test_the_same_inputs_put_again_give_the_same_run_to_the_last_id() -> None:
    trace = recorded(DepositFunds("1", 50), WithdrawFunds("1", 20), WithdrawFunds("1", 10))
    last = trace[0].agenda.pending[2]
    changed = trace.put(0, Chosen.of(last)).put(0, Dropped.of(trace[0].agenda.pending[0]))
    again = Trace.of(Stack(ids=seeded_ids(1), clock=ticking_clock()))
    for entry in changed.branch.inputs:
        again = again.put(entry.at, entry.input)
    assert again[0].agenda == changed[0].agenda
    assert [put[:3] for put in again.branch.inputs] == [put[:3] for put in changed.branch.inputs]
    assert again[0].stack.ids == changed[0].stack.ids


def test_an_input_of_another_kind_is_a_class_of_its_own() -> None:
    class Emptied:
        """Everything was taken off the agenda."""

        def put(self, run: Run) -> tuple[Emptied, Run]:
            return self, replace(run, agenda=Agenda())

        def described(self) -> str:
            return "emptied the agenda"

    trace = Trace.of(begin(Stack(), DepositFunds("1", 50))).put(0, Emptied())
    assert trace[0].run.idle
    assert trace.branch.inputs[0].input.described() == "emptied the agenda"


def test_a_moment_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(OutOfRange, match="there is no moment 99; the trace has the moments 0 to 5"):
        recorded(DepositFunds("1", 50))[99]


def test_a_branch_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(InvalidValue, match="no branch 'nowhere'; there are: main"):
        recorded().switch("nowhere")


def test_a_history_from_before_the_trace_is_in_its_index_at_moment_zero() -> None:
    earlier = recorded(RequestTransfer("t1", "1", "2", 5), DepositFunds("1", 50))[-1].stack.event_store
    trace = Trace.of(Stack(event_store=earlier))
    assert trace.index.events_at(0) == len(earlier) == 1
    assert [lane.identity.stream_id for lane in trace.index.lanes] == ["BankAccount-1"]


def test_a_process_that_the_history_started_has_its_lane_from_the_moment_it_is_met() -> None:
    earlier = recorded(DepositFunds("1", 50), RequestTransfer("t1", "1", "2", 5))[12].stack.event_store
    trace = Trace.of(Stack(event_store=earlier, process_manager_types=(Transfer,)))
    trace = trace.put(0, Submitted((WithdrawFunds("1", 5, "t1"),)))
    while not trace[trace.last].run.idle:
        trace = trace.append(*advance(trace[trace.last].run))
    lane = next(lane for lane in trace.index.lanes if lane.kind == "process manager")
    met = next(step for step in trace.steps if step.kind == "CaughtUp")
    assert (lane.identity.stream_id, lane.since) == ("Transfer-t1", met.index)
