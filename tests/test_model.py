"""A model is found by the shape of its classes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from calamity_lab import Lab
from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.model import Model, assemble
from calamity_lab.probe.possible import possible


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


def test_a_namespace_is_searched_for_classes_and_what_fits_nowhere_is_said() -> None:
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


def test_two_classes_of_one_name_are_rejected_with_both_their_homes() -> None:
    other = type("Slot", (Slot,), {"__module__": "elsewhere"})
    with pytest.raises(
        InvalidModel, match=r"two classes have the stored name 'Slot': .*test_model.* and elsewhere"
    ):
        Model.of([Slot, other])


@pytest.mark.parametrize(
    ("given", "parts", "words"),
    [
        (None, {}, "The model has no aggregate"),
        (SimpleNamespace(), {}, "cannot find a model in"),
        ({}, {"aggregates": [Slot]}, "not both"),
        (None, {"aggregates": [42]}, "give a list of classes, as in aggregates=\\[...\\]; found 42"),
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
        (None, {"aggregates": Slot}, r"give a list of classes, as in aggregates=\[\.\.\.\]"),
        (Model(), {}, "The model has no aggregate"),
        ({"Insert": Insert}, {}, "has only Insert"),
    ],
)
def test_what_is_no_model_is_said_with_what_would_be_one(given: Any, parts: Any, words: str) -> None:
    with pytest.raises(InvalidModel, match=words):
        Lab(given, **parts)


def test_a_part_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(InvalidValue, match=r"no command 'Deposit'. It has Insert"):
        Model.of([Slot, Insert]).command("Deposit")


def test_what_a_method_hands_to_the_class_above_is_read_there() -> None:
    class Counted(Slot):
        def execute(self, command: Any) -> Any:
            return super().execute(command)

        def apply(self, event: Any) -> Any:
            return super().apply(event)

    assert Inserted in Model.of([Counted, Insert, Inserted]).events


def test_a_class_that_is_used_but_not_the_models_own_is_outdated() -> None:
    model = Model.of([Slot, Insert, Inserted])
    assert model.outdated(Insert, Slot) == ()
    again = type("Insert", (Insert,), {})
    assert model.outdated(again) == (again,)


def test_an_earlier_definition_that_was_kept_aside_is_no_part_of_the_model() -> None:
    earlier = type("Slot", (Slot,), {})
    assert Model.find({"Slot": Slot, "Insert": Insert, "OldSlot": earlier}).aggregates == (Slot,)


HEAD = """
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from calamity_lab import command

@dataclass(frozen=True)
class Named:
    name: str

@command(to="Dog", by="dog")
@dataclass(frozen=True)
class Name:
    dog: str
    name: str
"""
DOG = """
@dataclass(frozen=True)
class Dog:
    id: str
    name: str = ""
    @classmethod
    def new(cls, id): return cls(id)
"""
WAYS_TO_HAND_ON = {
    "singledispatchmethod": DOG
    + """
    @singledispatchmethod
    def execute(self, c): return None
    @execute.register
    def _(self, c: Name): return Named(c.name)
    @singledispatchmethod
    def apply(self, e): return self
    @apply.register
    def _(self, e: Named): return replace(self, name=e.name)
""",
    "functions": """
def decide(c, s): return Named(c.name)
def evolve(s, e): return replace(s, name=e.name) if isinstance(e, Named) else s
"""
    + DOG
    + """
    def execute(self, c): return decide(c, self)
    def apply(self, e): return evolve(self, e)
""",
    "a method per message": DOG
    + """
    def execute(self, c): return getattr(self, f"on_{type(c).__name__}")(c)
    def apply(self, e): return getattr(self, f"on_{type(e).__name__}")(e)
    def on_Name(self, c): return Named(c.name)
    def on_Named(self, e): return replace(self, name=e.name)
""",
    "an event in the aggregate": DOG
    + """
    @dataclass(frozen=True)
    class Named:
        name: str
    def execute(self, c): return Dog.Named(c.name)
    def apply(self, e): return replace(self, name=e.name) if isinstance(e, Dog.Named) else self
""",
}


@pytest.mark.parametrize("way", WAYS_TO_HAND_ON)
def test_events_that_the_callbacks_leave_to_other_functions_are_found(way: str) -> None:
    module = ModuleType("dogs")
    sys.modules["dogs"] = module
    try:
        exec(HEAD + WAYS_TO_HAND_ON[way], module.__dict__)
        if way == "an event in the aggregate":
            del module.__dict__["Named"]
        model = Model.find(module)
        assert names(model.events) == {"Named"}
        assert possible(model).decides == (("Dog", "Named"),)
    finally:
        del sys.modules["dogs"]


def test_an_event_of_another_module_is_found() -> None:
    facts = ModuleType("facts")
    facts.Inserted = Inserted  # type: ignore[attr-defined]

    class Machine:
        def __init__(self, slot_id: str) -> None:
            self.slot_id = slot_id

        @classmethod
        def new(cls, slot_id: str) -> Machine:
            return cls(slot_id)

        def execute(self, command: Any) -> Any:
            return facts.Inserted(self.slot_id, command.coin)

        def apply(self, event: Any) -> Machine:
            assert isinstance(event, facts.Inserted)
            return self

    assert Model.of([Machine]).events == (Inserted,)


def test_a_base_that_only_shares_methods_is_no_part_of_the_model() -> None:
    class Base:
        def aggregate(self) -> tuple[type, str]:
            return Slot, "1"

    @dataclass(frozen=True)
    class Eject(Base):
        slot_id: str

    class AnySlot:
        def execute(self, command: Any) -> Any:
            raise NotImplementedError

        def apply(self, event: Any) -> Any:
            return self

    @dataclass(frozen=True)
    class WideSlot(AnySlot):
        slot_id: str

    model = Model.of([Base, Eject, AnySlot, WideSlot])
    assert (model.commands, model.aggregates) == ((Eject,), (WideSlot,))
