"""The agenda shows what is pending, in order, and what caused it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calamity_lab.examples import bank
from calamity_lab.examples.bank import DepositFunds
from calamity_lab.kernel.messages import command
from calamity_lab.views.agenda import AgendaEntry, AgendaView, agenda
from tests.moments import after
from tests.views.traces import stepper_of, story_of


@command(to="NowhereToBeFound", by="id")
@dataclass(frozen=True)
class Lost:
    id: str


def test_an_empty_agenda_has_no_entries() -> None:
    assert agenda(stepper_of().trace, 0, offers=False) == AgendaView(total=0, in_progress=None, entries=())


def test_a_submitted_command_is_shown_with_its_target_and_fields() -> None:
    (entry,) = agenda(stepper_of(DepositFunds("a", 5)).trace, 0).entries
    assert replace(entry, command_id="") == AgendaEntry(
        command="DepositFunds",
        target="BankAccount-a",
        fields="account_id='a', amount=5, transfer_id=–",
        origin="submitted",
        sender=None,
        cause=None,
        depth=0,
        command_id="",
        outcome="records",
        preview="would record FundsDeposited",
    )


def test_a_command_that_a_manager_sent_names_the_event_and_the_moment_that_caused_it() -> None:
    trace = story_of(bank)
    view = agenda(trace, after(trace, "Started"))
    assert view.in_progress is not None
    assert view.in_progress.command == "RequestTransfer"
    first = view.entries[0]
    assert (first.command, first.origin) == ("WithdrawFunds", "TransferInitiated #5 by Transfer-rent")
    assert (first.sender, first.cause, first.depth) == ("Transfer-rent", 22, 1)


def test_a_command_that_answers_a_rejection_says_so() -> None:
    trace = story_of(bank)
    first = agenda(trace, after(trace, "Continued", -1)).entries[0]
    assert (first.command, first.cause) == ("RefundTransfer", 53)
    assert first.origin == "Transfer-gift after DepositFunds was rejected"


def test_a_target_that_cannot_be_resolved_is_said_in_its_place() -> None:
    (entry,) = agenda(stepper_of(Lost("1")).trace, 0).entries
    assert entry.target.startswith("Lost.aggregate looks for the aggregate 'NowhereToBeFound'")


def test_of_a_long_agenda_only_the_first_entries_are_shown() -> None:
    view = agenda(stepper_of(*[DepositFunds("a", n) for n in range(1, 101)]).trace, 0, limit=3)
    assert view.total == 100
    assert [entry.fields for entry in view.entries] == [
        f"account_id='a', amount={n}, transfer_id=–" for n in (1, 2, 3)
    ]
