"""Random commands fit the types of their fields, and a machine finds what breaks and makes it short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
import pytest
from annotated_types import Ge, Gt, Lt, MinLen
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from calamity_lab import Rejected, Stack, command
from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.testing import commands_of, machine_of
from tests import holds

Cents = NewType("Cents", int)


class Speed(Enum):
    SLOW = "slow"
    FAST = "fast"


@dataclass(frozen=True)
class Line:
    sku: Annotated[str, MinLen(2)]
    price: Annotated[Decimal, Gt(0)]


@dataclass(frozen=True)
class Basket:
    basket: str

    @classmethod
    def new(cls, basket: str) -> Basket:
        return cls(basket)

    def execute(self, command: Any) -> Any:
        return None

    def apply(self, event: Any) -> Basket:
        return self


@command(to=Basket, by="basket")
@dataclass(frozen=True)
class Fill:
    basket: str
    lines: tuple[Line, ...]
    count: Annotated[int, Ge(3), Lt(6)]
    cents: Cents
    speed: Speed
    when: datetime
    word: Literal["yes", "no"]
    note: str | None
    key: UUID
    prices: dict[str, float]


@given(commands_of(Fill))
@settings(max_examples=50)
def test_each_field_fits_its_type_and_its_limits(fill: Any) -> None:
    assert fill.basket in ("a", "b", "c")
    assert 3 <= fill.count < 6
    assert all(len(line.sku) >= 2 and line.price > 0 for line in fill.lines)
    assert isinstance(fill.cents, int)
    assert isinstance(fill.speed, Speed)
    assert fill.when.tzinfo is UTC
    assert fill.word in ("yes", "no")
    assert fill.note is None or isinstance(fill.note, str)
    assert isinstance(fill.key, UUID)


@command(to=Basket, by="basket")
class Weigh(BaseModel):
    basket: str
    grams: int = Field(gt=0, le=5)


@command(to=Basket, by="basket")
class Count(msgspec.Struct, frozen=True):
    basket: str
    pieces: Annotated[int, msgspec.Meta(ge=2, le=4)]


@pytest.mark.parametrize(("cls", "field", "low", "high"), [(Weigh, "grams", 1, 5), (Count, "pieces", 2, 4)])
def test_limits_of_pydantic_and_msgspec_count(cls: type, field: str, low: int, high: int) -> None:
    @given(commands_of(cls))
    def within(made: Any) -> None:
        assert low <= getattr(made, field) <= high

    within()


@given(commands_of(fulfilment))
@settings(max_examples=50)
def test_the_commands_of_an_example_are_made(made: Any) -> None:
    made.aggregate()


@given(commands_of(bank, amount=st.just(7)))
def test_a_field_may_have_a_strategy_of_its_own(made: Any) -> None:
    assert getattr(made, "amount", 7) == 7


def nobody_is_overdrawn(stack: Stack) -> bool:
    return all(account.balance >= 0 for account in stack.aggregates.values())


TestBank = machine_of(
    bank, invariants=[nobody_is_overdrawn], account_id=st.sampled_from("ab"), amount=st.integers(1, 50)
).TestCase
TestBank.settings = settings(max_examples=8, stateful_step_count=15)


@dataclass(frozen=True)
class Purse:
    held: int = 0

    @classmethod
    def new(cls, purse: str) -> Purse:
        return cls()

    def execute(self, command: Any) -> Any:
        if isinstance(command, Take) and command.coins > self.held + 1:  # one too many
            raise Rejected("not enough")
        return Changed(-command.coins if isinstance(command, Take) else command.coins)

    def apply(self, event: Any) -> Purse:
        return Purse(self.held + event.by)


@dataclass(frozen=True)
class Changed:
    by: int


@command(to=Purse, by="purse")
@dataclass(frozen=True)
class Put:
    purse: str
    coins: Annotated[int, Ge(1), Lt(4)]


@command(to=Purse, by="purse")
@dataclass(frozen=True)
class Take:
    purse: str
    coins: Annotated[int, Ge(1), Lt(4)]


def test_what_breaks_is_found_and_made_short_in_the_words_of_commands() -> None:
    def is_positive(stack: Stack) -> bool:
        return all(purse.held >= 0 for purse in stack.aggregates.values())

    machine = machine_of([Purse, Put, Take], invariants=[is_positive])
    machine.TestCase.settings = settings(
        max_examples=100, stateful_step_count=5, database=None, derandomize=True
    )
    with pytest.raises(AssertionError, match="is_positive does not hold") as caught:
        machine.TestCase().runTest()
    sent = [note for note in caught.value.__notes__ if note.startswith("state.send")]
    assert len(sent) == 1
    assert "Take" in sent[0]
    assert "coins=1," in sent[0]


def test_a_machine_lets_time_pass_to_the_next_deadline() -> None:
    def no_hold_ends(stack: Stack) -> bool:
        return "HoldExpired" not in [each.event_type for each in stack.event_store]

    model = [holds.Seat, holds.Holding, holds.HoldSeat]
    machine = machine_of(model, invariants=[no_hold_ends], ids=("A1",))
    machine.TestCase.settings = settings(
        max_examples=100, stateful_step_count=8, database=None, derandomize=True
    )
    with pytest.raises(AssertionError, match="no_hold_ends does not hold") as caught:
        machine.TestCase().runTest()
    assert [note for note in caught.value.__notes__ if note.startswith("state.wait")]


def test_bad_arguments_are_named() -> None:
    with pytest.raises(InvalidModel, match=r"commands_of\(amuont=\.\.\.\): no command has such a field"):
        commands_of(bank, amuont=st.just(1))
    with pytest.raises(InvalidValue, match="machine_of"):
        machine_of(bank, invariants=["positive"])

    @command(to=Basket, by="basket")
    @dataclass(frozen=True)
    class Odd:
        basket: str
        thing: type

    with pytest.raises(
        InvalidModel, match=r"Odd\.thing is annotated with .*commands_of\(model, thing=\.\.\.\)"
    ):
        commands_of(Odd)
