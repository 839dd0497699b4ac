"""What is handed on, sent and settled is recorded, and never derived from the rules of today."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import pytest

from calamity_lab.errors import AlreadySettled, InvalidValue, ModelError, Rejected, UnknownName, WrongMark
from calamity_lab.examples.bank import (
    BankAccount,
    CloseAccount,
    DepositFunds,
    RequestTransfer,
    Transfer,
    WithdrawFunds,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import Run, advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import CaughtUp, Failed, Settled
from tests.kernel.durable import durable, new_store
from tests.kernel.outside import OutsideEvents
from tests.kernel.running import events, finish, kinds, stack_of

TRANSFER = RequestTransfer("t", "a", "b", 60)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The ids of accounts at which a command of a transfer raises."""
    at: set[str] = set()
    plain = BankAccount.execute

    def execute(self: Any, command: Any) -> Any:
        if self.account_id in at and getattr(command, "transfer_id", None):
            raise KeyError("no such key")
        return plain(self, command)

    monkeypatch.setattr(BankAccount, "execute", execute)
    return at


def verdicts(stack: Stack) -> list[str | None]:
    return [entry.outcome for entry in stack.event_store.outbox]


def test_what_a_process_manager_sent_is_in_the_outbox_until_it_is_settled() -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    step, run = advance(begin(stack, TRANSFER))
    while step.kind != "Started":
        step, run = advance(run)
    (entry,) = stack.event_store.outbox
    assert (entry.command_type, entry.sender, entry.outcome) == ("WithdrawFunds", "Transfer-t", None)
    assert stack.event_store.marks() == ({"Transfer": 2}, 2)
    _, run = finish(run)
    assert verdicts(stack) == ["accepted", "accepted"]
    assert stack.event_store.marks() == ({"Transfer": 4}, 4)


def test_a_rejection_settles_the_command_with_its_reason() -> None:
    stack = durable(Transfer)
    for each in (DepositFunds("a", 100), CloseAccount("b"), TRANSFER):
        stack = dispatch(stack, each)
    withdrawing, depositing, refunding = stack.event_store.outbox
    assert (withdrawing.outcome, refunding.outcome) == ("accepted", "accepted")
    assert (depositing.outcome, depositing.reason) == ("rejected", "account closed")
    outcome = stack.event_store.outcome_of(depositing.command_id)
    assert outcome.rejected == Rejected("account closed", **outcome.details)


@pytest.mark.parametrize("make", [stack_of, durable])
def test_a_command_with_an_id_is_carried_out_once(make: Callable[..., Stack]) -> None:
    stack = dispatch(make(), DepositFunds("a", 5), command_id="paid", metadata={"user": "ada"})
    again = dispatch(stack, DepositFunds("a", 5), command_id="paid")
    assert len(again.event_store) == 1
    assert next(iter(again.event_store)).causation_id == "paid"
    assert next(iter(again.event_store)).metadata["user"] == "ada"
    assert len(dispatch(again, DepositFunds("a", 5), command_id="paid too").event_store) == 2


@pytest.mark.parametrize("make", [stack_of, durable])
def test_a_rejection_is_answered_again_though_the_command_would_be_accepted_now(
    make: Callable[..., Stack],
) -> None:
    with pytest.raises(Rejected) as first:
        dispatch(make(), WithdrawFunds("a", 5), command_id="taken")
    stack = dispatch(first.value.run.stack, DepositFunds("a", 100))
    with pytest.raises(Rejected, match="insufficient funds") as second:
        dispatch(stack, WithdrawFunds("a", 5), command_id="taken")
    assert second.value.details == first.value.details


@pytest.mark.parametrize("wrong", ["", 7, b"x"])
def test_a_command_id_that_is_no_text_is_told(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="command_id="):
        dispatch(stack_of(), DepositFunds("a", 1), command_id=wrong)


def test_a_command_that_another_process_settled_is_not_carried_out() -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    step, run = advance(begin(stack, TRANSFER))
    while step.kind != "Started":
        step, run = advance(run)
    other = recover(durable(Transfer, event_store=stack.event_store, ids=seeded_ids("other")), [BankAccount])
    finish(other)
    steps, _ = finish(run)
    assert [step.outcome.verdict for step in steps if isinstance(step, Settled)] == ["accepted"]
    assert [type(event).__name__ for event in events(stack)] == [
        "FundsDeposited",
        "TransferInitiated",
        "FundsWithdrawn",
        "FundsDeposited",
    ]


def test_events_of_a_process_without_the_manager_are_handed_on_when_it_next_matters() -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    dispatch(Stack(event_store=stack.event_store), TRANSFER)
    assert verdicts(stack) == []
    steps, run = finish(begin(stack, RequestTransfer("u", "a", "c", 5)))
    assert "CaughtUp" in kinds(steps)
    assert rebuild(run.stack, [BankAccount]).aggregates["BankAccount-b"].balance == 60
    assert verdicts(stack) == ["accepted"] * 4


def test_a_new_process_manager_begins_at_now_and_its_instances_have_their_state() -> None:
    store = new_store()
    dispatch(dispatch(Stack(event_store=store), DepositFunds("a", 100)), TRANSFER)
    run = recover(durable(Transfer, event_store=store))
    assert run.idle
    assert list(run.stack.process_managers) == ["Transfer-t"]
    assert store.marks() == ({"Transfer": 2}, 2)


def test_a_new_process_manager_begins_where_it_is_told() -> None:
    store = new_store()
    stack = dispatch(Stack(event_store=store), DepositFunds("a", 100))
    stack = dispatch(stack, RequestTransfer("early", "a", "b", 1))
    dispatch(stack, TRANSFER)
    run = recover(durable(Transfer, event_store=store, process_managers_begin={Transfer: 2}))
    assert run.agenda == [WithdrawFunds("a", 60, "t")]
    assert sorted(run.stack.process_managers) == ["Transfer-early", "Transfer-t"]


@pytest.mark.parametrize("wrong", [-1, "then", 1.5, True, None])
def test_a_beginning_that_is_no_position_is_told(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="process_managers_begin"):
        Stack(process_managers_begin={"Transfer": wrong})


def test_a_beginning_beyond_the_end_of_the_history_is_told() -> None:
    with pytest.raises(WrongMark, match="Transfer"):
        recover(durable(Transfer, process_managers_begin={"Transfer": 7}))


def test_a_name_that_no_process_manager_bears_is_told() -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    without = Stack(event_store=stack.event_store)
    with pytest.raises(UnknownName, match='stored_name = "Transfer"'):
        recover(without)
    assert recover(
        Stack(event_store=stack.event_store, process_managers_begin={"Transfer": "elsewhere"})
    ).idle
    stack.event_store.retire("Transfer", reason="replaced")
    assert recover(without).idle


def test_an_owed_command_that_raises_stops_nothing_else(broken: set[str]) -> None:
    store = new_store()
    stack = dispatch(durable(Transfer, event_store=store), DepositFunds("a", 100))
    broken.add("b")
    with pytest.raises(ModelError, match="no such key") as raised:
        dispatch(stack, TRANSFER)
    stack = dispatch(raised.value.run.stack, RequestTransfer("u", "a", "c", 5))
    assert verdicts(stack) == ["accepted", None, "accepted", "accepted"]
    steps, run = finish(recover(durable(Transfer, event_store=store)))
    assert [step.ends for step in steps if isinstance(step, Failed)] == [True]
    (failure,) = run.failed
    broken.clear()
    _, run = finish(run.retry(failure))
    assert (run.failed, verdicts(stack)) == ((), ["accepted"] * 4)
    assert rebuild(run.stack, [BankAccount]).aggregates["BankAccount-b"].balance == 60


def failed(broken: set[str]) -> Run:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    broken.add("b")
    with pytest.raises(ModelError) as raised:
        dispatch(stack, TRANSFER)
    run: Run = raised.value.run
    return run


def test_an_owed_command_can_be_replaced(broken: set[str]) -> None:
    run = failed(broken)
    _, run = finish(run.replace_failed(run.failed[0], DepositFunds("c", 60, "t")))
    assert run.stack.aggregates["BankAccount-c"].balance == 60
    assert [(e.outcome, e.reason) for e in run.stack.event_store.outbox] == [
        ("accepted", ""),
        ("replaced", "by DepositFunds"),
        ("accepted", ""),
    ]


def test_an_owed_command_can_be_dropped_for_a_reason_that_is_kept(broken: set[str]) -> None:
    run = failed(broken)
    with pytest.raises(InvalidValue, match="say in a text why"):
        run.drop_failed(run.failed[0], " ")
    command_id = run.failed[0].pending.command_id  # type: ignore[union-attr]
    run = run.drop_failed(run.failed[0], "paid by hand")
    assert run.failed == ()
    entry = run.stack.event_store.outbox[-1]
    assert (entry.outcome, entry.reason) == ("dropped", "paid by hand")
    assert recover(run.stack).idle
    with pytest.raises(AlreadySettled, match="dropped"):
        run.stack.event_store.drop(command_id, reason="again")


def test_a_process_manager_that_raises_gets_the_event_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    with monkeypatch.context() as patched:
        patched.setattr(Transfer, "handle", lambda self, event: {}["no such key"])
        with pytest.raises(ModelError, match="no such key") as raised:
            dispatch(stack, TRANSFER)
        assert stack.event_store.marks() == ({"Transfer": 1}, 2)
        run = recover(durable(Transfer, event_store=stack.event_store))
        assert [failure.process_manager for failure in run.failed] == ["Transfer"]
    stack = dispatch(raised.value.run.stack, RequestTransfer("u", "a", "c", 5))
    assert rebuild(stack, [BankAccount]).aggregates["BankAccount-b"].balance == 60


def test_a_rebuilt_stack_hands_on_what_nobody_handed_on() -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    dispatch(Stack(event_store=stack.event_store), TRANSFER)
    fresh = durable(Transfer, event_store=stack.event_store, ids=seeded_ids("later"))
    rebuilt = rebuild(fresh, [BankAccount])
    assert rebuilt.delivered_upto == (1,)
    steps, run = finish(begin(rebuilt, RequestTransfer("u", "a", "c", 5)))
    assert [step.count for step in steps if isinstance(step, CaughtUp)] == [1]
    assert run.stack.aggregates["BankAccount-b"].balance == 60


def test_a_store_that_keeps_events_only_works_with_a_warning() -> None:
    store = OutsideEvents()
    stack = dispatch(stack_of(Transfer, event_store=store), DepositFunds("a", 100))
    dispatch(stack, TRANSFER)
    with pytest.warns(UserWarning, match="keeps events only"):
        run = recover(stack_of(Transfer, event_store=store), [BankAccount])
    assert run.idle
    assert run.stack.aggregates["BankAccount-b"].balance == 60


def test_a_mark_beyond_the_end_of_the_history_is_told() -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    connection = stack.event_store._database._writing()
    connection.execute("UPDATE process_managers SET position = 9")
    with pytest.raises(WrongMark, match="older backup"):
        recover(durable(Transfer, event_store=stack.event_store))
    stack.event_store.move_mark("Transfer", 1)
    assert recover(durable(Transfer, event_store=stack.event_store)).idle


def test_a_mark_that_was_moved_back_carries_nothing_out_twice() -> None:
    stack = dispatch(dispatch(durable(Transfer), DepositFunds("a", 100)), TRANSFER)
    there = events(stack)
    stack.event_store.move_mark("Transfer", 0)
    finish(recover(durable(Transfer, event_store=stack.event_store, ids=seeded_ids("later"))))
    assert events(stack) == there


def test_a_copy_of_an_agenda_has_what_was_set_aside(broken: set[str]) -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    broken.add("b")
    _, run = finish(begin(stack, TRANSFER))
    assert len(run.failed) == 1
    assert copy(run.agenda).failed == run.failed


def test_the_events_of_a_command_that_was_settled_before_are_handed_on() -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    step, run = advance(begin(stack).submit(TRANSFER, command_ids=["asked"], once=True))
    while step.kind != "Appended":
        step, run = advance(run)  # and here the process dies, and its user asks again
    fresh = durable(Transfer, event_store=stack.event_store, ids=seeded_ids("later"))
    after = dispatch(fresh, TRANSFER, command_id="asked")
    assert rebuild(after, [BankAccount]).aggregates["BankAccount-b"].balance == 60
    assert verdicts(stack) == ["accepted"] * 3


def test_a_new_process_manager_that_raises_at_an_old_event_stops_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = new_store()
    dispatch(Stack(event_store=store), DepositFunds("a", 100))
    plain = Transfer.interested

    def interested(event: Any) -> Any:
        if getattr(event, "transfer_id", None) is None:
            raise KeyError("no such key")
        return plain(event)

    monkeypatch.setattr(Transfer, "interested", staticmethod(interested))
    run = recover(durable(Transfer, event_store=store))
    assert [failure.process_manager for failure in run.failed] == ["Transfer"]
    with pytest.raises(ModelError, match="no such key") as raised:
        dispatch(durable(Transfer, event_store=store, ids=seeded_ids("later")), DepositFunds("a", 1))
    assert len(store) == 2
    monkeypatch.setattr(Transfer, "interested", plain)
    after = dispatch(raised.value.run.stack, TRANSFER)
    assert rebuild(after, [BankAccount]).aggregates["BankAccount-b"].balance == 60
