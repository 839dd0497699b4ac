"""A class that was renamed keeps its history in a store, by its stored name; a lost name is told."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import Lab, Stack, Start, command, dispatch
from calamity_lab.errors import InvalidModel
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.stores import Serializer, SQLEventStore, SQLSnapshotStore


@dataclass(frozen=True)
class Deposited:
    id: str
    amount: int


@dataclass(frozen=True)
class _Account:
    id: str
    balance: int = 0

    @classmethod
    def new(cls, id: str) -> Any:  # noqa: A002 - the contract's name
        return cls(id)

    def execute(self, deposit: Any) -> Deposited:
        return Deposited(self.id, deposit.amount)

    def apply(self, event: Deposited) -> Any:
        return replace(self, balance=self.balance + event.amount)


class Account(_Account):
    """The class as it was called when the history was written."""


class Shop(_Account):
    """Another aggregate of the history."""


@command(to=Account, by="id")
@dataclass(frozen=True)
class Deposit:
    id: str
    amount: int


@command(to=Shop, by="id")
@dataclass(frozen=True)
class Sell:
    id: str
    amount: int


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with two events of an account."""
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    with SQLEventStore(url, [Deposited]) as store:
        dispatch(dispatch(Stack(event_store=store), Deposit("a", 60)), Deposit("a", 40))
    return url


def _renamed(**members: Any) -> type:
    """The aggregate's class after a release that called it otherwise."""
    return type("BankAccount", (_Account,), members)


def _by_body() -> tuple[type, Serializer]:
    cls = _renamed(stored_name="Account")
    return cls, Serializer([cls, Deposited])


def _by_names() -> tuple[type, Serializer]:
    cls = _renamed()
    return cls, Serializer([cls, Deposited], names={cls: "Account"})


@pytest.mark.parametrize("named", [_by_body, _by_names])
@pytest.mark.parametrize("way", [recover, rebuild])
def test_a_renamed_aggregate_has_its_history(
    url: str, named: Callable[[], tuple[type, Serializer]], way: Any
) -> None:
    cls, serializer = named()
    found = way(Stack(event_store=SQLEventStore(url, serializer)), [cls])
    stack = found if way is rebuild else found.stack
    assert stack.aggregates["Account-a"] == cls("a", 100)
    lab = Lab.attach(SQLEventStore(url, serializer), aggregates=[cls], commands=[Deposit])
    assert lab.aggregates["Account-a"] == cls("a", 100)


@pytest.mark.parametrize("way", [recover, rebuild])
@pytest.mark.parametrize("with_snapshots", [False, True])
def test_an_aggregate_that_lost_its_name_is_told_with_what_to_write(
    url: str, way: Any, with_snapshots: bool
) -> None:
    store = SQLEventStore(url, [Deposited])
    kept = SQLSnapshotStore(url) if with_snapshots else None
    with pytest.raises(InvalidModel, match=r"stored_name = 'Account' in the body of BankAccount.*names="):
        way(Stack(event_store=store), [_renamed()], snapshots=kept)


def test_a_stream_that_no_aggregate_wrote_is_no_lost_name(url: str, caplog: Any) -> None:
    with SQLEventStore(url, [Deposited]) as store:
        store.append("log-1", [Deposited("a", 1)])
        assert recover(Stack(event_store=store), [Account, Shop]).stack.aggregates["Account-a"].balance == 100
    assert caplog.text == ""


def test_an_aggregate_that_is_not_given_is_told_in_the_log(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with SQLEventStore(url, [Deposited]) as store, caplog.at_level(logging.WARNING, "calamity_lab"):
        dispatch(Stack(event_store=store), Sell("s", 5))
        recover(Stack(event_store=store), [Account])
        assert "streams of Shop, and no known class" in caplog.text
        caplog.clear()
        recover(Stack(event_store=SQLEventStore(url, [Deposited, Shop])), [Account])
        recover(Stack(event_store=store))
    assert caplog.text == ""


def test_an_attached_lab_tells_the_names_that_its_model_lacks(url: str) -> None:
    with pytest.warns(UserWarning, match="no aggregate with the stored name 'Account'"):
        lab = Lab.attach(url, aggregates=[_renamed()], commands=[Deposit])
    assert len(lab.events) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Lab.attach(url, aggregates=[Account], commands=[Deposit])


def test_a_command_and_an_event_are_read_by_their_stored_names(url: str) -> None:
    paid_in = type("PaidIn", (Deposited,), {"stored_name": "Deposited"})
    pay_in = type("PayIn", (Deposit,), {"stored_name": "Deposit"})
    serializer = Serializer([paid_in, pay_in])
    assert serializer.decode("Deposit", 1, '{"id":"a","amount":1}') == pay_in("a", 1)
    assert next(SQLEventStore(url, serializer).stream("Account-a")).event == paid_in("a", 60)


def test_a_class_has_one_name_in_all_serializers() -> None:
    cls = _renamed()
    Serializer(names={cls: "Account"})
    assert Serializer([cls]).name_of(cls) == "Account"
    with pytest.raises(InvalidModel, match="stored as 'Account' already, and cannot be stored as 'Konto'"):
        Serializer(names={cls: "Konto"})


def test_a_name_that_is_refused_is_not_given() -> None:
    cls = _renamed()
    with pytest.raises(InvalidModel, match="two classes have the stored name 'Account'"):
        Serializer([Account], names={cls: "Account"})
    assert Serializer([cls]).name_of(cls) == "BankAccount"


class _Greeter:
    @classmethod
    def interested(cls, _: Any) -> Any:
        return Start("1")

    @classmethod
    def new(cls, _: str) -> Any:
        return cls()

    def apply(self, _: Any) -> Any:
        return self

    def handle(self, _: Any) -> None:
        return None


def test_two_process_managers_of_one_name_are_refused_in_two_stacks_over_one_store(url: str) -> None:
    first, second = (type(name, (_Greeter,), {"stored_name": "Greeter"}) for name in ("Hello", "Welcome"))
    store = SQLEventStore(url, [Deposited])
    Stack(event_store=store, process_manager_types=[first])
    with pytest.raises(
        InvalidModel, match=r"two classes have the stored name 'Greeter': Hello .* and Welcome"
    ):
        Stack(event_store=store, process_manager_types=[second])


def test_two_aggregates_of_one_name_are_refused_over_one_store(url: str) -> None:
    store = SQLEventStore(url, [Deposited])
    recover(Stack(event_store=store), [Account])
    with pytest.raises(InvalidModel, match="two classes have the stored name 'Account'"):
        recover(Stack(event_store=store), [_renamed(stored_name="Account")])


def test_an_aggregate_and_a_process_manager_of_one_name_are_refused_over_one_store(url: str) -> None:
    store = SQLEventStore(url, [Deposited])
    Stack(event_store=store, process_manager_types=[type("Greeter", (_Greeter,), {"stored_name": "Account"})])
    with pytest.raises(InvalidModel, match="two classes have the stored name 'Account'"):
        recover(Stack(event_store=store), [Account])
