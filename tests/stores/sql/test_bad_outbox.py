"""Marks and an outbox that are not as they should be: clear errors, and a way on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from calamity_lab.errors import (
    AlreadySettled,
    InvalidValue,
    Rejected,
    SerializationError,
    UnknownName,
    WrongMark,
    WrongSchema,
)
from calamity_lab.examples.bank import (
    BankAccount,
    CloseAccount,
    DepositFunds,
    FundsDeposited,
    FundsRefunded,
    FundsWithdrawn,
    RequestTransfer,
    Transfer,
)
from calamity_lab.kernel import ask
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores import SQLEventStore
from tests.kernel.running import events, finish


def stack_at(url: str) -> Stack:
    """A stack over a store of its own."""
    return Stack(event_store=SQLEventStore(url, [BankAccount, Transfer]), process_manager_types=(Transfer,))


def cut_short(url: str) -> SQLEventStore:
    """The store of a process that died when it had sent the second half of a transfer."""
    run = begin(stack_at(url), DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60))
    while not any(isinstance(command, DepositFunds) and command.transfer_id for command in run.agenda):
        _, run = advance(run)
    store: SQLEventStore = run.stack.event_store
    return store


def written(store: SQLEventStore, statement: str) -> None:
    """Change the tables by hand."""
    assert store._database.write(statement, {}, "write to") == 1


def outstanding(store: SQLEventStore) -> str:
    """The id of the only command that is not settled."""
    (command_id,) = [entry.command_id for entry in store.outbox if entry.outcome is None]
    return command_id


def test_a_mark_beyond_the_end_of_the_history_is_an_error_until_it_is_moved(url: str) -> None:
    store = cut_short(url)
    written(store, "UPDATE process_managers SET position = 99")
    with pytest.raises(WrongMark, match=r'move_mark\("Transfer", 3\)') as told:
        recover(stack_at(url))
    assert (told.value.name, told.value.mark, told.value.head) == ("Transfer", 99, 3)
    with pytest.raises(WrongMark):
        dispatch(stack_at(url), DepositFunds("c", 1))
    assert store.version(ALL) == 3, "nothing is written"
    store.move_mark("Transfer", 3)
    finish(recover(stack_at(url)))
    assert [event.amount for event in events(stack_at(url)) if isinstance(event, FundsDeposited)] == [100, 60]


@pytest.mark.parametrize(("name", "position"), [("Transfer", 4), ("Transfer", -1), ("Transfr", 1)])
def test_a_mark_is_moved_only_to_where_the_history_reaches(url: str, name: str, position: int) -> None:
    store = cut_short(url)
    with pytest.raises(InvalidValue, match="one of Transfer, and a position from 0 to 3"):
        store.move_mark(name, position)
    assert store.marks() == ({"Transfer": 3}, 3)


def test_a_mark_that_was_moved_back_has_nothing_carried_out_twice(url: str) -> None:
    store = cut_short(url)
    finish(recover(stack_at(url)))
    before, sent = list(store), store.outbox
    for position in (2, 1, 0):
        store.move_mark("Transfer", position)
        steps, run = finish(recover(stack_at(url)))
        assert (steps, list(store), store.outbox) == ([], before, sent)
        assert not run.stack.process_managers
    assert store.marks() == ({"Transfer": 4}, 4)


def test_a_mark_that_is_moved_back_while_a_process_runs_has_no_event_taken_in_twice(url: str) -> None:
    @dataclass(frozen=True)
    class Counting(Transfer):
        count: int = 0

        def apply(self, event: Any) -> Any:
            after = super().apply(event)
            return type(self)(**{**vars_of(after), "count": self.count + 1})

    stack = Stack(event_store=SQLEventStore(url, [BankAccount, Counting]), process_manager_types=(Counting,))
    run = begin(stack, DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60))
    while not (run.stack.process_managers and run.stack.process_managers["Counting-t"].count == 2):
        _, run = advance(run)
    run.stack.event_store.move_mark("Counting", 1)
    _, run = finish(run.submit(RequestTransfer("t2", "a", "b", 10)))
    assert dict(run.stack.process_manager_versions) == {"Counting-t": 3, "Counting-t2": 3}
    assert [type(event) for event in events(run.stack)].count(FundsWithdrawn) == 2


def vars_of(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass."""
    return {name: getattr(instance, name) for name in instance.__dataclass_fields__}


def test_an_outstanding_command_of_an_unknown_type_is_an_error_until_it_is_dropped(url: str) -> None:
    store = cut_short(url)
    command_id = outstanding(store)
    written(store, "UPDATE outbox SET command_type = 'PayOut' WHERE outcome IS NULL")
    with pytest.raises(UnknownName, match=rf'PayOut.*event_store.drop\("{command_id}", reason='):
        recover(stack_at(url))
    store.drop(command_id, reason="nobody knows it")
    assert recover(stack_at(url)).idle


@pytest.mark.parametrize("payload", ['{"account_id": 7}', "[]", "null", '"b"'])
def test_an_outstanding_command_that_cannot_be_read_is_an_error_until_it_is_dropped(
    url: str, payload: str
) -> None:
    store = cut_short(url)
    command_id = outstanding(store)
    written(store, f"UPDATE outbox SET payload = '{payload}' WHERE outcome IS NULL")
    with pytest.raises(SerializationError, match=rf'{command_id}.*event_store.drop\("{command_id}"'):
        recover(stack_at(url))
    store.drop(command_id, reason="it cannot be read")
    assert recover(stack_at(url)).idle
    assert store.outbox[-1].outcome == "dropped"
    assert store.outbox[-1].reason == "it cannot be read"


def test_metadata_of_an_outstanding_command_that_cannot_be_read_is_an_error_too(url: str) -> None:
    store = cut_short(url)
    written(store, "UPDATE outbox SET metadata = '[7]' WHERE outcome IS NULL")
    with pytest.raises(SerializationError, match=outstanding(store)):
        recover(stack_at(url))


def test_a_database_of_a_newer_version_is_refused_and_not_changed(url: str) -> None:
    store = cut_short(url)
    written(store, "UPDATE calamity_lab_schema SET version = 3")
    with pytest.raises(WrongSchema, match="install a newer calamity_lab"):
        stack_at(url)
    assert store._database.rows("SELECT version FROM calamity_lab_schema", {}, "read") == [(3,)]


def test_a_settled_command_is_not_dropped(url: str) -> None:
    store = cut_short(url)
    settled = next(entry for entry in store.outbox if entry.outcome is not None)
    with pytest.raises(AlreadySettled, match=settled.command_id):
        store.drop(settled.command_id, reason="too late")
    assert next(entry for entry in store.outbox if entry.command_id == settled.command_id) == settled
    with pytest.raises(InvalidValue, match="the outbox has no command 'x'"):
        store.drop("x", reason="it is not there")
    with pytest.raises(InvalidValue, match="say in a text why"):
        store.drop(outstanding(store), reason=" ")


def test_a_process_manager_that_is_retired_is_owed_nothing(url: str) -> None:
    store = cut_short(url)
    command_id = outstanding(store)
    with pytest.raises(InvalidValue, match="known: Transfer"):
        store.retire("Transfr", reason="it is gone")
    store.retire("Transfer", reason="it is gone")
    outcome = store.outcome_of(command_id)
    assert outcome is not None
    assert outcome[:2] == ("dropped", "it is gone")
    stack = Stack(event_store=SQLEventStore(url, [BankAccount, Transfer]))
    assert recover(stack).idle
    begun_anew = recover(stack_at(url))
    assert begun_anew.idle
    assert store.marks() == ({"Transfer": 3}, 3)


def test_details_of_a_rejection_that_json_cannot_keep_are_kept_as_texts(url: str) -> None:
    def strict(question: ask.Question) -> Any:
        if isinstance(question.message, DepositFunds) and question.message.transfer_id:
            raise Rejected("not today", at=datetime(2026, 1, 1, tzinfo=UTC), why=object)
        return question()

    store = cut_short(url)
    command_id = outstanding(store)
    with ask.through(strict):
        finish(recover(stack_at(url)))
    outcome = store.outcome_of(command_id)
    assert outcome is not None
    assert outcome[:2] == ("rejected", "not today")
    assert set(outcome.details) == {"at", "why"}
    assert isinstance(events(stack_at(url))[-1], FundsRefunded)


@pytest.mark.parametrize("callback", ["Transfer.handle", "Transfer.handle_rejection"])
def test_an_answer_that_json_cannot_keep_sets_aside_what_it_answers_and_stops_nothing_else(
    url: str, callback: str
) -> None:
    def odd(question: ask.Question) -> Any:
        answer = question()
        if question.name == callback:
            return DepositFunds("c", object(), "t")  # type: ignore[arg-type]
        return answer

    stack = dispatch(dispatch(stack_at(url), DepositFunds("a", 100)), CloseAccount("b"))
    with ask.through(odd), pytest.raises(SerializationError, match=r"DepositFunds.*amount") as told:
        dispatch(stack, RequestTransfer("t", "a", "b", 60))
    assert len(told.value.run.failed) == 1
    with ask.through(odd):
        steps, run = finish(recover(stack_at(url)).submit(DepositFunds("c", 1)))
        assert len(run.failed) == 1
        assert any(step.kind == "Appended" for step in steps)
    finish(recover(stack_at(url)))
    balances = recover(stack_at(url), [BankAccount]).stack.aggregates
    assert (balances["BankAccount-a"].balance, balances["BankAccount-c"].balance) == (100, 1)
