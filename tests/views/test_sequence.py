"""The sequence diagram: who sent what to whom in a cascade, and at which moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import pytest

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds, FundsDeposited, RequestTransfer, WithdrawFunds
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.messages import Continue, Start, command
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.stepper import Stepper
from calamity_lab.views.sequence import Message, Participant, SequenceView, sequence
from tests.kernel.outside import OutsideAggregates, OutsideEvents
from tests.moments import after, before
from tests.views.batch import Fill
from tests.views.traces import stepper_of, story_of, trace_of

USER = Participant("User", "user", "user")
ALICE = Participant("BankAccount-alice", "BankAccount", "aggregate")
BOB = Participant("BankAccount-bob", "BankAccount", "aggregate")
STORE = Participant("Event store", "event store", "event store")
RENT = Participant("Transfer-rent", "Transfer", "process manager")


def messages_of(view: SequenceView) -> list[tuple[str, str, str, str]]:
    """The kind, source, target and label of each message."""
    names = [each.name.removeprefix("BankAccount-") for each in view.participants]
    return [(each.kind, names[each.source], names[each.target], each.label) for each in view.messages]


def tenses(view: SequenceView) -> str:
    """P for each message of the past, N for now, F for the future."""
    return "".join(each.tense[0].upper() for each in view.messages)


def test_a_transfer_that_arrives_is_said_from_its_request_to_its_end() -> None:
    trace = story_of(bank)
    view = sequence(trace, before(trace, "RequestTransfer", 2))
    assert (view.title, view.total, view.first, view.commands) == ("RequestTransfer", 3, 0, 3)
    assert view.participants == (USER, ALICE, BOB, STORE, RENT)
    assert messages_of(view) == [
        ("command", "User", "alice", "RequestTransfer"),
        ("event", "alice", "Event store", "TransferInitiated"),
        ("started", "Event store", "Transfer-rent", "TransferInitiated"),
        ("command", "Transfer-rent", "alice", "WithdrawFunds"),
        ("event", "alice", "Event store", "FundsWithdrawn"),
        ("continued", "Event store", "Transfer-rent", "FundsWithdrawn"),
        ("command", "Transfer-rent", "bob", "DepositFunds"),
        ("event", "bob", "Event store", "FundsDeposited"),
        ("stopped", "Event store", "Transfer-rent", "FundsDeposited"),
    ]
    assert [each.moment for each in view.messages] == [20, 22, 23, 25, 27, 28, 30, 32, 33]
    assert view.messages[7] == Message(
        "32.0", "event", 2, 3, "FundsDeposited",
        "FundsDeposited #7: account_id='bob', amount=6000, transfer_id='rent'", "",
        after(trace, "FundsDeposited", 2), "past",
    )  # fmt: skip
    assert view.messages[6].detail == (
        "DepositFunds(account_id='bob', amount=6000, transfer_id='rent'), FundsWithdrawn #6 by Transfer-rent"
    )


def test_a_transfer_that_is_rejected_halfway_says_why_and_what_mends_it() -> None:
    trace = story_of(bank)
    view = sequence(trace, before(trace, "WithdrawFunds", -1))
    assert messages_of(view)[6:] == [
        ("command", "Transfer-gift", "carol", "DepositFunds"),
        ("rejected", "carol", "Transfer-gift", "DepositFunds rejected"),
        ("continued", "Transfer-gift", "Transfer-gift", "answers with RefundTransfer"),
        ("command", "Transfer-gift", "bob", "RefundTransfer"),
        ("event", "bob", "Event store", "FundsRefunded"),
        ("stopped", "Event store", "Transfer-gift", "FundsRefunded"),
    ]
    assert [each.note for each in view.messages if each.note] == ["account closed"]


def test_a_rejection_at_once_goes_back_to_who_submitted_the_command() -> None:
    trace = story_of(bank)
    view = sequence(trace, after(trace, "Refused"))
    assert messages_of(view) == [
        ("command", "User", "alice", "RequestTransfer"),
        ("rejected", "alice", "User", "RequestTransfer rejected"),
    ]
    assert view.messages[1].note == "insufficient funds (balance 4000)"
    assert STORE not in view.participants


def test_who_submitted_a_command_has_the_name_that_its_metadata_tells() -> None:
    stepper = stepper_of()
    stepper.submit(DepositFunds("a", 5), metadata={"user": "ada"})
    assert sequence(stepper.trace, 0).participants[0] == Participant("ada", "user", "user")


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (19, ""),
        (20, "NFFFFFFFF"),
        (21, "PNFFFFFFF"),
        (22, "PNFFFFFFF"),
        (24, "PPNFFFFFF"),
        (32, "PPPPPPPNF"),
        (34, "PPPPPPPPN"),
    ],
)
def test_the_past_the_now_and_the_future_are_distinguished(cursor: int, expected: str) -> None:
    view = sequence(story_of(bank), cursor)
    assert tenses(view) == expected if expected else view.title == "DepositFunds"


def test_between_decision_and_record_the_events_are_with_the_aggregate_alone() -> None:
    trace = story_of(bank)
    kinds = [messages_of(sequence(trace, cursor))[1] for cursor in (20, 21, 22)]
    assert kinds == [
        ("event", "alice", "Event store", "TransferInitiated"),
        ("decided", "alice", "alice", "TransferInitiated"),
        ("event", "alice", "Event store", "TransferInitiated"),
    ]


def test_every_moment_shows_the_cascade_that_it_belongs_to_and_itself_as_now() -> None:
    trace = story_of(fulfilment)
    for cursor in range(1, len(trace)):
        view = sequence(trace, cursor)
        now = [each for each in view.messages if each.tense == "now"]
        assert now, cursor
        assert view.correlation == trace[cursor].step.pending.correlation_id  # type: ignore[union-attr]


def test_an_order_out_of_stock_tells_the_compensation() -> None:
    trace = story_of(fulfilment)
    view = sequence(trace, after(trace, "Refused"))
    assert [each.name for each in view.participants] == [
        "User", "Order-1002", "StockItem-mug", "StockItem-kettle", "Event store", "OrderFulfilment-1002",
    ]  # fmt: skip
    assert messages_of(view)[7:11] == [
        ("rejected", "StockItem-kettle", "OrderFulfilment-1002", "ReserveStock rejected"),
        (
            "continued",
            "OrderFulfilment-1002",
            "OrderFulfilment-1002",
            "answers with ReleaseStock, CancelOrder",
        ),
        ("command", "OrderFulfilment-1002", "StockItem-mug", "ReleaseStock"),
        ("event", "StockItem-mug", "Event store", "StockReleased"),
    ]
    assert view.messages[7].note == "out of stock (sku 'kettle', free 0)"


def test_an_ignored_event_is_said_too() -> None:
    assert messages_of(sequence(story_of(fulfilment), 5))[-1] == (
        "ignored", "Event store", "Replenishment-mug", "StockReceived",
    )  # fmt: skip


def test_a_conflict_is_said_with_what_was_decided_in_vain_and_how_it_was_caught_up() -> None:
    def meanwhile(store: OutsideEvents) -> None:
        store.append("BankAccount-a", [FundsDeposited("a", 7)])

    stack = Stack(aggregates=OutsideAggregates(), event_store=OutsideEvents(meanwhile))
    stepper = Stepper(stack, checked=False)
    stepper.submit(DepositFunds("a", 5))
    stepper.resume()
    view = sequence(stepper.trace, stepper.trace.last)
    assert messages_of(view) == [
        ("command", "User", "a", "DepositFunds"),
        ("decided", "a", "a", "FundsDeposited"),
        ("conflict", "Event store", "a", "conflict"),
        ("caught up", "Event store", "a", "caught up with 1 event"),
        ("event", "a", "Event store", "FundsDeposited"),
    ]
    assert view.messages[2].note == "expected no stream, found version 1"


def test_an_aggregate_known_from_a_history_is_caught_up_first() -> None:
    history = InMemoryEventStore().append("BankAccount-a", [FundsDeposited("a", 7)])
    trace = trace_of(WithdrawFunds("a", 5), event_store=history)
    assert messages_of(sequence(trace, trace.last))[1] == (
        "caught up",
        "Event store",
        "a",
        "caught up with 1 event",
    )


def test_commands_that_wait_are_said_as_yet_to_come() -> None:
    stepper = stepper_of(DepositFunds("alice", 9), RequestTransfer("rent", "alice", "bob", 5))
    stepper.step_over()
    stepper.step_over()
    view = sequence(stepper.trace, stepper.cursor)
    assert messages_of(view)[-1] == ("pending", "Transfer-rent", "alice", "WithdrawFunds")
    assert (view.messages[-1].moment, view.messages[-1].tense) == (None, "future")


def test_before_anything_happened_the_command_that_comes_next_is_said() -> None:
    stepper = stepper_of(*bank.story())
    assert messages_of(sequence(stepper.trace, 0)) == [("pending", "User", "alice", "CreateAccount")]
    stepper.step_in()
    assert messages_of(sequence(stepper.trace, 0)) == [("command", "User", "alice", "CreateAccount")]


def test_a_lab_in_which_nothing_is_pending_has_an_empty_diagram() -> None:
    assert sequence(trace_of(), 0) == SequenceView("", "", 0, 0, 0, (), ())


def test_a_command_without_a_known_target_tells_what_is_wrong_with_it() -> None:
    @command(to="Nowhere", by="id")
    @dataclass(frozen=True)
    class Lost:
        id: str

    view = sequence(stepper_of(Lost("1")).trace, 0)
    assert messages_of(view) == [("pending", "User", "User", "Lost")]
    assert "looks for the aggregate 'Nowhere'" in view.messages[0].note


def test_a_cascade_that_others_interrupted_is_said_as_one() -> None:
    stepper = stepper_of(
        DepositFunds("alice", 9), RequestTransfer("rent", "alice", "bob", 5), DepositFunds("carol", 1)
    )
    stepper.step_over()
    stepper.step_over()
    stepper.choose(1)
    stepper.resume()
    trace = stepper.trace
    commands = [each.moment for each in sequence(trace, trace.last).messages if each.kind == "command"]
    other = next(each.moment for each in sequence(trace, commands[1] - 1).messages)  # type: ignore[operator]
    assert commands[0] < other < commands[1]  # type: ignore[operator]
    assert len(commands) == 3


def test_on_another_branch_the_cascade_is_what_happened_there() -> None:
    stepper = stepper_of(*bank.story())
    stepper.resume()
    stepper.goto(fork := before(stepper, "WithdrawFunds"))
    stepper.drop(0)
    view = sequence(stepper.trace, fork)
    assert [each.label for each in view.messages] == [
        "RequestTransfer",
        "TransferInitiated",
        "TransferInitiated",
    ]


def test_a_run_taken_up_in_the_middle_of_a_command_tells_that_command() -> None:
    run = begin(Stack(), DepositFunds("a", 5))
    for _ in range(3):
        _, run = advance(run)
    stepper = Stepper(run, checked=False)
    assert messages_of(sequence(stepper.trace, 0)) == [("command", "User", "a", "DepositFunds")]
    stepper.resume()
    assert tenses(sequence(stepper.trace, 0)) == "NF"
    assert messages_of(sequence(stepper.trace, 1))[-1] == ("event", "a", "Event store", "FundsDeposited")
    assert (sequence(stepper.trace, 1).title, tenses(sequence(stepper.trace, 1))) == ("DepositFunds", "PN")


def test_a_correlation_id_chooses_a_cascade_and_one_that_is_not_there_is_rejected() -> None:
    trace = story_of(bank)
    wanted = sequence(trace, before(trace, "RequestTransfer", 2)).correlation
    assert messages_of(sequence(trace, trace.last, correlation=wanted)) == messages_of(
        sequence(trace, before(trace, "RequestTransfer", 2))
    )
    assert "N" not in tenses(sequence(trace, trace.last, correlation=wanted))
    with pytest.raises(InvalidValue, match="no command of this trace has the correlation id 'nope'"):
        sequence(trace, 0, correlation="nope")


def test_the_whole_run_is_said_in_order() -> None:
    trace = story_of(bank)
    view = sequence(trace, 0, correlation=ALL, limit=100)
    commands = [each.moment for each in view.messages if each.kind == "command"]
    assert commands == list(trace.index.dispatched)
    assert view.title == f"The whole run: {len(commands)} commands"


def test_of_a_long_cascade_a_window_is_said_that_follows_the_cursor() -> None:
    trace = trace_of(*bank.story())
    view = sequence(trace, after(trace, "AccountRenamed"), correlation=ALL, limit=4)
    assert (view.total, view.first, view.commands) == (15, 8, 4)
    assert any(each.tense == "now" for each in view.messages)
    earlier = sequence(trace, after(trace, "RefundTransfer"), correlation=ALL, limit=4, first=1)
    assert earlier.messages[0].moment == after(trace, "CreateAccount", 2)
    assert set(tenses(earlier)) == {"P"}


@dataclass(frozen=True)
class Watch:
    id: str

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | None:
        return Start(event.id)

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def apply(self, event: Any) -> Self:
        return self

    def handle(self, event: Any) -> None:
        return None


def test_of_many_events_the_first_are_said_and_of_many_reactions_those_around_the_cursor() -> None:
    trace = trace_of(Fill("b", 500), managers=(Watch,))
    view = sequence(trace, 300)
    assert len(view.messages) < 40
    assert [each.label for each in view.messages if each.kind == "more"] == [
        "and 492 more events", "288 earlier steps", "188 later steps",
    ]  # fmt: skip
    assert [each.moment for each in view.messages if each.tense == "now"] == [300]


def test_a_command_that_decides_nothing_says_so() -> None:
    trace = trace_of(Fill("b", 0))
    assert messages_of(sequence(trace, trace.last))[-1] == ("decided", "Batch-b", "Batch-b", "no event")
