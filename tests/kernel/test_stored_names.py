"""A class has one stored name, by which streams, events, commands and process managers go in every store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from calamity_lab import Lab, Stack, Start, begin, command, dispatch
from calamity_lab.errors import InvalidModel
from calamity_lab.kernel.identity import Identity, name_class, stored_name
from calamity_lab.model import Model
from calamity_lab.probe.possible import possible
from tests.kernel.running import finish


@dataclass(frozen=True)
class Deposited:
    stored_name = "FundsDeposited"
    account_id: str
    amount: int


@command(to="BankAccount", by="account_id", stored_name="DepositFunds")
@dataclass(frozen=True)
class Deposit:
    account_id: str
    amount: int


@dataclass(frozen=True)
class BankAccount:
    stored_name: ClassVar[str] = "Account"
    account_id: str
    balance: int = 0

    @classmethod
    def new(cls, account_id: str) -> BankAccount:
        return cls(account_id)

    def execute(self, deposit: Deposit) -> Deposited:
        return Deposited(self.account_id, deposit.amount)

    def apply(self, event: Deposited) -> BankAccount:
        return replace(self, balance=self.balance + event.amount)


@dataclass(frozen=True)
class WelcomeGift:
    stored_name = "Bonus"
    account_id: str

    @classmethod
    def interested(cls, event: Any) -> Any:
        return Start(event.account_id) if isinstance(event, Deposited) and event.amount >= 100 else None

    @classmethod
    def new(cls, account_id: str) -> WelcomeGift:
        return cls(account_id)

    def apply(self, _: Any) -> WelcomeGift:
        return self

    def handle(self, _: Any) -> Deposit:
        return Deposit(self.account_id, 10)


MODEL = {"aggregates": [BankAccount], "commands": [Deposit], "process_managers": [WelcomeGift]}


def test_streams_events_commands_and_instances_go_by_the_stored_name() -> None:
    stack = dispatch(Stack(process_manager_types=[WelcomeGift]), Deposit("1", 100))
    assert list(stack.aggregates) == ["Account-1"]
    assert list(stack.process_managers) == ["Bonus-1"]
    first, second = stack.event_store
    assert (first.stream_id, first.event_type, first.metadata["command"]) == (
        "Account-1",
        "FundsDeposited",
        "DepositFunds",
    )
    assert second.metadata["process_manager"] == "Bonus-1"


def test_a_step_tells_what_it_decided_and_what_it_recorded_by_one_name() -> None:
    steps, _ = finish(begin(Stack(), Deposit("1", 1)))
    assert {step.event_types for step in steps if step.event_types} == {("FundsDeposited",)}


def test_a_lab_shows_a_renamed_model_by_its_stored_names() -> None:
    lab = Lab(**MODEL)
    lab.send(Deposit("1", 100))
    lab.resume()
    assert lab.aggregates["Account-1"].balance == 110
    assert lab.process_managers["Bonus-1"] == WelcomeGift("1")
    assert len(lab.aggregates.to_pandas()) == 2
    assert [form.command for form in lab.form.contents.views()["form"].forms] == ["DepositFunds"]


def test_what_is_possible_is_told_by_the_stored_names() -> None:
    found = possible(Model.of([BankAccount, Deposit, Deposited, WelcomeGift]))
    assert found.targets == (("DepositFunds", "Account"),)
    assert found.leads == (("DepositFunds", "FundsDeposited"),)
    assert found.decides == (("Account", "FundsDeposited"),)
    assert {(event, manager) for event, manager, _ in found.reactions} == {("FundsDeposited", "Bonus")}
    assert found.sends == (("Bonus", "DepositFunds"),)


def test_a_subclass_has_a_stored_name_of_its_own() -> None:
    class SavingsAccount(BankAccount):
        pass

    assert stored_name(SavingsAccount) == "SavingsAccount"


def test_a_field_may_be_called_stored_name() -> None:
    @dataclass(frozen=True)
    class FileUploaded:
        stored_name: str = "a.txt"

    assert stored_name(FileUploaded) == "FileUploaded"


def test_a_class_with_slots_keeps_its_stored_name() -> None:
    @dataclass(frozen=True, slots=True)
    class Account:
        stored_name = "Konto"
        id: str

    assert stored_name(Account) == "Konto"


def test_a_class_cannot_have_two_stored_names() -> None:
    with pytest.raises(InvalidModel, match="BankAccount is stored as 'Account' already"):
        name_class(BankAccount, "Konto")


def test_a_dash_ends_a_category_and_is_refused_in_it() -> None:
    dashed = type("Dashed", (BankAccount,), {"stored_name": "bank-account"})
    with pytest.raises(InvalidModel, match="without a dash"):
        Identity(dashed, "1")


def test_two_process_managers_of_one_stored_name_are_refused() -> None:
    other = type("Other", (WelcomeGift,), {"stored_name": "Bonus"})
    with pytest.raises(InvalidModel, match="Two process managers have the stored name 'Bonus'"):
        Stack(process_manager_types=[WelcomeGift, other])


@pytest.mark.parametrize("base", [BankAccount, Deposit, WelcomeGift])
def test_two_classes_of_one_stored_name_are_refused_in_a_model(base: type) -> None:
    other = type("Other", (base,), {"stored_name": stored_name(base)})
    with pytest.raises(InvalidModel, match=f"two classes have the stored name '{stored_name(base)}'"):
        Model.of([BankAccount, Deposit, WelcomeGift, other])


def test_an_aggregate_and_a_process_manager_of_one_stored_name_are_refused_in_a_model() -> None:
    other = type("Other", (WelcomeGift,), {"stored_name": "Account"})
    with pytest.raises(InvalidModel, match="two classes have the stored name 'Account'"):
        Model.of([BankAccount, other])
