"""The chain of causes: every event knows the command that caused it, every command the event."""

from __future__ import annotations

from typing import Any

from calamity_lab.kernel.run import begin
from calamity_lab.kernel.steps import Appended, Dispatched
from tests.kernel.elixir import REQUEST, DepositFunds, Transfer, two_accounts
from tests.kernel.running import finish, stack_of, steps_of


def transfer() -> tuple[list[Any], list[Any]]:
    """The commands of a transfer as they were dispatched, and its events as they were recorded."""
    steps, stack = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    return [step.pending for step in steps if isinstance(step, Dispatched)], list(stack.event_store)


def test_the_causation_id_of_an_event_is_the_id_of_its_command() -> None:
    commands, events = transfer()
    assert [event.causation_id for event in events] == [pending.command_id for pending in commands]


def test_the_causation_id_of_a_command_is_the_id_of_its_event_and_none_for_a_submitted_one() -> None:
    commands, events = transfer()
    assert [pending.causation_id for pending in commands] == [None, events[0].event_id, events[1].event_id]


def test_the_correlation_id_is_shared_by_all_that_one_submitted_command_caused() -> None:
    commands, events = transfer()
    assert {item.correlation_id for item in [*commands, *events]} == {commands[0].command_id}


def test_two_submitted_commands_have_nothing_in_common() -> None:
    _, stack = steps_of(stack_of(), DepositFunds("1", 1), DepositFunds("1", 2))
    first, second = stack.event_store
    assert first.correlation_id != second.correlation_id
    assert first.event_id != second.event_id


def test_a_command_knows_its_sender_its_depth_and_all_that_stands_above_it() -> None:
    commands, _ = transfer()
    assert [pending.depth for pending in commands] == [0, 1, 2]
    assert [pending.sender and pending.sender.stream_id for pending in commands] == [
        None,
        "Transfer-t",
        "Transfer-t",
    ]
    assert list(commands[2].chain()) == commands[::-1]


def test_metadata_given_with_a_command_reaches_every_event_that_it_caused() -> None:
    stack = stack_of(Transfer, aggregates=two_accounts())
    _, run = finish(begin(stack, REQUEST, metadata={"user": "ada"}))
    assert [event.metadata for event in run.stack.event_store] == [
        {"user": "ada", "command": "RequestTransfer"},
        {"user": "ada", "command": "WithdrawFunds", "process_manager": "Transfer-t"},
        {"user": "ada", "command": "DepositFunds", "process_manager": "Transfer-t"},
    ]


def test_events_are_recorded_at_the_time_the_clock_tells() -> None:
    _, events = transfer()
    assert [event.recorded_at.isoformat() for event in events] == [
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:01+00:00",
        "2026-01-01T00:00:02+00:00",
    ]


def test_the_appended_step_shows_the_events_as_the_store_has_them() -> None:
    steps, stack = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    shown = [event for step in steps if isinstance(step, Appended) for event in step.recorded]
    assert shown == list(stack.event_store)
