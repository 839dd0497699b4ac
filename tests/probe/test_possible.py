"""What a model's classes may do to each other is found before anything happened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import pytest

from calamity_lab.errors import InvalidValue, Rejected
from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.messages import Continue, Start, Stop, command
from calamity_lab.model import Model
from calamity_lab.probe.field_types import MOST_SAMPLES, changed_samples, sample, samples
from calamity_lab.probe.possible import Possible, awaited, possible

BANK = Model.find(bank)
SHOP = Model.find(fulfilment)


def test_the_whole_transfer_is_found_without_one_being_made() -> None:
    found = possible(BANK)
    assert found.reactions == (
        ("FundsDeposited", "Transfer", "stop"),
        ("FundsRefunded", "Transfer", "stop"),
        ("FundsWithdrawn", "Transfer", "continue"),
        ("TransferCancelled", "Transfer", "stop"),
        ("TransferInitiated", "Transfer", "start"),
    )
    assert found.sends == (("Transfer", "DepositFunds"), ("Transfer", "WithdrawFunds"))
    assert found.answers == (("Transfer", "CancelTransfer"), ("Transfer", "RefundTransfer"))


def test_what_each_command_leads_to_is_found_also_where_made_up_values_are_always_rejected() -> None:
    assert dict(possible(SHOP).leads) == {
        "AskCourier": "CourierAsked",
        "CancelOrder": "OrderCancelled",
        "ChargeCard": "CardCharged",
        "CompleteOrder": "OrderCompleted",
        "ConfirmDelivery": "ParcelDelivered",
        "DispatchParcel": "ParcelDispatched",  # no made-up country is served
        "ExpirePayment": "PaymentExpired",
        "MarkOrderShipped": "OrderShipped",
        "OrderSupplies": "SuppliesOrdered",
        "PickStock": "StockPicked",
        "PlaceOrder": "OrderPlaced",
        "ReceiveStock": "StockReceived",
        "RefundPayment": "PaymentRefunded",
        "ReleaseStock": "StockReleased",
        "ReserveStock": "StockReserved",
    }
    assert len(possible(SHOP).leads) == 15


def test_a_manager_that_starts_only_under_a_condition_is_found() -> None:
    assert ("StockReserved", "Replenishment", "start") in possible(SHOP).reactions
    assert ("Replenishment", "OrderSupplies") in possible(SHOP).sends


def test_the_answer_is_the_same_however_often_it_is_worked_out() -> None:
    assert possible(Model.find(fulfilment)) == possible(Model.find(fulfilment))


@command(to="Till", by="id")
@dataclass(frozen=True)
class Pay:
    id: str


@dataclass(frozen=True)
class Paid:
    id: str


@dataclass(frozen=True)
class Till:
    id: str
    sum: int = 0

    @classmethod
    def new(cls, id_: str) -> Self:
        print("a till is made")
        return cls(id_)

    def execute(self, order: Any) -> Any:
        calls.append(order)
        print("somebody pays")
        return self._decided(order)

    def _decided(self, order: Pay) -> Paid:
        return Paid(order.id)

    def apply(self, event: Any) -> Self:
        return replace(self, sum=self.sum + 1)


class Bookkeeper:
    """Answers itself without end, and breaks at whatever it does not know."""

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        if not isinstance(event, Paid):
            raise TypeError("unheard of")
        return Start(f"book-{event.id}")

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def apply(self, event: Any) -> Self:
        return self

    def handle(self, event: Any) -> Any:
        return Pay(event.id)

    def handle_rejection(self, rejected: Rejected) -> Any:
        raise RuntimeError("no answer")


calls: list[Any] = []


def test_a_model_that_breaks_or_never_ends_is_asked_a_bounded_number_of_times() -> None:
    calls.clear()
    found = possible(Model.of([Till, Pay, Paid, Bookkeeper]))
    assert found == Possible(
        targets=(("Pay", "Till"),),
        decides=(("Till", "Paid"),),
        leads=(("Pay", "Paid"),),
        reactions=(("Paid", "Bookkeeper", "start"),),
        sends=(("Bookkeeper", "Pay"),),
        answers=(),
    )
    assert 0 < len(calls) < 500


def test_what_a_model_prints_is_not_printed_while_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    possible(Model.of([Till, Pay, Paid, Bookkeeper]))
    assert capsys.readouterr().out == ""


def test_an_instance_awaits_the_events_that_carry_its_id() -> None:
    assert awaited(BANK, "Transfer", "t1") == (
        "FundsDeposited",
        "FundsRefunded",
        "FundsWithdrawn",
        "TransferCancelled",
    )
    assert awaited(SHOP, "Replenishment", "mug") == ("StockReceived", "SuppliesOrdered")


def test_where_nothing_else_does_the_event_that_starts_an_instance_continues_it() -> None:
    assert awaited(Model.of([Till, Pay, Paid, Bookkeeper]), "Bookkeeper", "7") == ("Paid",)


def test_an_unknown_manager_is_said_with_those_there_are() -> None:
    with pytest.raises(InvalidValue, match=r"no process manager 'Nobody'.*It has Transfer"):
        awaited(BANK, "Nobody", "1")


def test_a_made_up_message_fills_every_field_and_names_its_texts_after_them() -> None:
    assert sample(bank.DepositFunds) == bank.DepositFunds("account_id", 1, "transfer_id")


def test_further_made_up_messages_differ_in_one_field_each() -> None:
    assert samples(bank.DepositFunds)[1:] == (
        bank.DepositFunds("account_id", 1_000, "transfer_id"),
        bank.DepositFunds("account_id", 0, "transfer_id"),
        bank.DepositFunds("account_id", 1, None),
    )
    assert all(0 < len(samples(event)) <= MOST_SAMPLES for event in SHOP.events)


def test_an_id_is_tried_in_each_field_that_could_hold_it() -> None:
    found = [made.transfer_id for made in changed_samples(bank.FundsWithdrawn, "t9")]
    assert "t9" in found
    assert [made.amount for made in changed_samples(bank.FundsWithdrawn, 77)].count(77) >= 1


def test_a_class_of_which_nothing_can_be_made_has_no_samples() -> None:
    @dataclass(frozen=True)
    class Never:
        count: int

        def __post_init__(self) -> None:
            raise ValueError("never")

    assert samples(Never) == ()
    assert sample(Never) is None
