"""A model is found by the shape of its classes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.model import Model, assemble


def names(classes: tuple[type, ...]) -> set[str]:
    return {cls.__name__ for cls in classes}


@dataclass(frozen=True)
class Coin:
    value: int


@dataclass(frozen=True)
class Inserted:
    slot_id: str
    coin: Coin


@dataclass(frozen=True)
class Insert:
    slot_id: str
    coin: Coin

    def aggregate(self) -> tuple[type, str]:
        return Slot, self.slot_id


@dataclass(frozen=True)
class Slot:
    slot_id: str

    @classmethod
    def new(cls, slot_id: str) -> Slot:
        return cls(slot_id)

    def execute(self, command: Insert) -> Inserted:
        assert isinstance(command, Insert)
        return Inserted(self.slot_id, Coin(command.coin.value))

    def apply(self, event: Inserted) -> Slot:
        assert isinstance(event, Inserted)
        return self


@dataclass(frozen=True)
class Lonely:
    reason: str


class Colour(Enum):
    RED = 1


def test_a_module_of_the_examples_is_found_whole() -> None:
    model = Model.find(bank)
    assert names(model.aggregates) == {"BankAccount"}
    assert names(model.process_managers) == {"Transfer"}
    assert {"DepositFunds", "RequestTransfer"} <= names(model.commands)
    assert {"FundsDeposited", "TransferInitiated"} <= names(model.events)
    assert not model.unplaced
    assert not {"Start", "Continue", "Stop"} & names(tuple(model))


def test_value_objects_are_no_events_and_an_event_that_a_manager_keeps_is_one() -> None:
    model = Model.find(fulfilment)
    assert names(model.aggregates) == {"Order", "Payment", "Shipment", "StockItem"}
    assert names(model.process_managers) == {"OrderFulfilment", "Replenishment"}
    assert "OrderPlaced" in names(model.events)
    assert not {"Address", "Card", "OrderLine", "Reservation"} & names(model.events)


def test_a_namespace_is_searched_for_classes_and_what_fits_nowhere_is_told() -> None:
    model = Model.find(
        {
            "Slot": Slot,
            "Insert": Insert,
            "Inserted": Inserted,
            "Coin": Coin,
            "Lonely": Lonely,
            "C": Colour,
            "x": 1,
        }
    )
    assert (model.aggregates, model.commands, model.events) == ((Slot,), (Insert,), (Inserted,))
    assert model.unplaced == (Lonely,)
    assert "unused: Lonely (no class of the model refers to it)" in str(model)


def test_messages_that_the_callbacks_name_need_not_be_given() -> None:
    model = assemble(None, {"aggregates": [Slot]})
    assert (model.commands, model.events) == ((Insert,), (Inserted,))


def test_messages_of_classes_defined_in_a_function_are_found_too() -> None:
    @dataclass(frozen=True)
    class Lit:
        lamp_id: str

    @dataclass(frozen=True)
    class Light:
        lamp_id: str

        def aggregate(self) -> tuple[type, str]:
            return Lamp, self.lamp_id

    @dataclass(frozen=True)
    class Lamp:
        lamp_id: str

        @classmethod
        def new(cls, lamp_id: str) -> Lamp:
            return cls(lamp_id)

        def execute(self, command: Any) -> Any:
            return Lit(self.lamp_id) if isinstance(command, Light) else None

        def apply(self, event: Any) -> Lamp:
            assert isinstance(event, Lit)
            return self

    model = assemble(None, {"aggregates": [Lamp]})
    assert (model.commands, model.events) == ((Light,), (Lit,))


def test_two_classes_of_one_name_are_refused_with_both_their_homes() -> None:
    other = type("Slot", (Slot,), {"__module__": "elsewhere"})
    with pytest.raises(InvalidModel, match=r"Two classes are called Slot: .*test_model.* and elsewhere"):
        Model.of([Slot, other])


@pytest.mark.parametrize(
    ("given", "parts", "words"),
    [
        (None, {}, "The model has no aggregate"),
        (SimpleNamespace(), {}, "cannot find a model in"),
        ({}, {"aggregates": [Slot]}, "not both"),
        (None, {"aggregates": [42]}, "made of classes. Found 42"),
        (
            None,
            {"aggregates": [Coin]},
            "Coin needs an execute\\(command\\) method and an apply\\(event\\) method to be an aggregate",
        ),
        (
            None,
            {"aggregates": [Slot], "process_managers": [Slot]},
            "needs a classmethod interested.* and a handle.* to be a process manager",
        ),
        (None, {"aggregates": Slot}, r"aggregates= takes a list of classes, as in aggregates=\[\.\.\.\]"),
        (Model(), {}, "The model has no aggregate"),
        ({"Insert": Insert}, {}, "has only Insert"),
    ],
)
def test_what_is_no_model_is_told_with_what_would_be_one(given: Any, parts: Any, words: str) -> None:
    with pytest.raises(InvalidModel, match=words):
        assemble(given, parts)


def test_a_part_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InvalidValue, match=r"no command 'Deposit'. It has Insert"):
        Model.of([Slot, Insert]).command("Deposit")


def test_a_class_that_is_used_but_not_the_models_own_is_outdated() -> None:
    model = Model.of([Slot, Insert, Inserted])
    assert model.outdated(Insert, Slot) == ()
    again = type("Insert", (Insert,), {})
    assert model.outdated(again) == (again,)


def test_an_earlier_definition_that_was_kept_aside_is_no_part_of_the_model() -> None:
    earlier = type("Slot", (Slot,), {})
    assert Model.find({"Slot": Slot, "Insert": Insert, "OldSlot": earlier}).aggregates == (Slot,)
