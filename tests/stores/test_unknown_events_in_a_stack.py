"""What becomes of a stack whose event store does not know the classes of its events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from calamity_lab.errors import ModelError
from calamity_lab.examples import bank
from calamity_lab.examples.bank import DepositFunds, WithdrawFunds
from calamity_lab.kernel.recovery import rebuild
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.stores.sql.event_store import SQLEventStore


@dataclass(frozen=True)
class Tolerant:
    """An aggregate that leaves aside what it does not know, as many models do."""

    id: str

    @classmethod
    def new(cls, id: str) -> Self:  # noqa: A002 - the contract's name
        return cls(id)

    def execute(self, command: object) -> None:
        return None

    def apply(self, event: object) -> Self:
        return self


@pytest.fixture
def url(tmp_path: Path) -> str:
    where = f"sqlite:///{tmp_path / 'bank.db'}"
    with SQLEventStore(where, bank) as store:
        dispatch(Stack(event_store=store), DepositFunds("1", 50))
    return where


def test_an_aggregate_is_not_caught_up_with_events_of_which_the_class_is_not_known(url: str) -> None:
    with SQLEventStore(url) as store, pytest.raises(ModelError, match="SQLEventStore"):
        dispatch(Stack(event_store=store), WithdrawFunds("1", 10))


def test_an_aggregate_that_leaves_aside_what_it_does_not_know_is_not_rebuilt_wrong(url: str) -> None:
    with SQLEventStore(url) as store:
        store.append("Tolerant-1", [recorded.event for recorded in store.stream("BankAccount-1")])
        with pytest.raises(ModelError, match=r"Tolerant\.apply cannot take in FundsDeposited"):
            rebuild(Stack(event_store=store), [Tolerant])


def test_a_lab_attached_to_a_store_without_types_gives_it_those_of_its_model(url: str) -> None:
    with SQLEventStore(url) as store:
        lab = Lab.attach(store, bank)
        assert lab.aggregates["BankAccount-1"].balance == 50
