"""What a class says about its fields is read the same, however its kind of class says it."""

from __future__ import annotations

import sys
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from enum import Enum
from types import ModuleType
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar

import attrs
import msgspec
import pydantic
import pytest

from calamity_lab.kernel.annotations import Unresolved, bare, class_annotations, union_members
from calamity_lab.kernel.from_text import values_from_text
from calamity_lab.kernel.schema import (
    COMPUTED,
    NO_DEFAULT,
    arguments_of,
    declared_names,
    fields_in,
    fields_of,
    is_message_class,
    kind_of,
)
from calamity_lab.views.form import written
from calamity_lab.views.parsing import parse

T = TypeVar("T", bound=Decimal)


class Colour(Enum):
    RED = "r"


@dataclass(frozen=True)
class Account:
    LIMIT: ClassVar[int] = 5
    account_id: str = field(metadata={"doc": "whose account"})
    tags: tuple[str, ...] = field(default_factory=tuple)
    seed: InitVar[int] = 3
    checked: bool = field(default=False, init=False)


@attrs.frozen
class Weight:
    _grams: int = attrs.field(metadata={"description": "without the box"})
    half: int = attrs.field(default=attrs.Factory(lambda self: self._grams // 2, takes_self=True))


class Size(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    in_metres: Annotated[float, msgspec.Meta(description="how long")]
    rings: list[int] = []
    name: str


class Owner(pydantic.BaseModel, frozen=True):
    name: str = pydantic.Field(alias="ownerName", description="as in the passport")
    age: Annotated[int, pydantic.Field(ge=0)] = 0
    pets: list[str] = pydantic.Field(default_factory=list)


class ByName(pydantic.BaseModel, frozen=True, populate_by_name=True, extra="allow"):
    name: str = pydantic.Field(alias="byName")


class Spot(NamedTuple):
    x: int
    y: int = 2


class Kept:
    def __init__(self, item: str, count: int = 1) -> None:
        self.item = item
        self.count = count


class KeptToo(Kept):
    def __init__(self, item: str, colour: Colour) -> None:
        super().__init__(item)
        self.colour = colour


class Calculator:
    def __init__(self, rate: Decimal) -> None:
        self._factor = rate / 100


class Loose:
    def __init__(self, item, count=1):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN204
        self.item, self.count = item, count


@pytest.mark.parametrize(
    ("cls", "kind", "names", "arguments"),
    [
        (Account, "dataclass", ["account_id", "tags", "checked"], ["account_id", "tags", "seed"]),
        (Weight, "attrs", ["_grams", "half"], ["grams", "half"]),
        (Size, "struct", ["in_metres", "rings", "name"], ["in_metres", "rings", "name"]),
        (Owner, "pydantic", ["name", "age", "pets"], ["ownerName", "age", "pets"]),
        (ByName, "pydantic", ["name"], ["name"]),
        (Spot, "named tuple", ["x", "y"], ["x", "y"]),
        (Kept, "plain", ["item", "count"], ["item", "count"]),
        (KeptToo, "plain", ["item", "colour"], ["item", "colour"]),
    ],
)
def test_a_field_and_the_argument_that_fills_it_may_have_two_names(
    cls: type, kind: str, names: list[str], arguments: list[str]
) -> None:
    assert kind_of(cls) == kind
    assert [each.name for each in fields_in(cls)] == names
    assert [each.argument for each in arguments_of(cls)] == arguments


@pytest.mark.parametrize("cls", [Calculator, Loose, int, Colour, ValueError, Exception, object, dict])
def test_a_class_that_does_not_say_what_its_values_hold_is_no_message(cls: type) -> None:
    assert not is_message_class(cls)
    assert kind_of(cls) is None


def default_of(cls: type, name: str) -> Any:
    return next(each for each in arguments_of(cls) if name in (each.name, each.argument)).made_default()


def test_defaults_are_made_when_they_are_asked_for() -> None:
    assert (default_of(Account, "tags"), default_of(Account, "seed")) == ((), 3)
    assert (default_of(Size, "rings"), default_of(Size, "name")) == ([], NO_DEFAULT)
    assert (default_of(Owner, "pets"), default_of(Owner, "age"), default_of(Owner, "name")) == (
        [],
        0,
        NO_DEFAULT,
    )
    assert (default_of(Spot, "y"), default_of(Kept, "count")) == (2, 1)
    assert default_of(Weight, "half") is COMPUTED


def test_what_a_class_says_about_a_field_is_read_from_where_its_kind_keeps_it() -> None:
    assert fields_in(Account)[0].doc == "whose account"
    assert fields_in(Weight)[0].doc == "without the box"
    assert fields_in(Size)[0].doc == "how long"
    assert fields_in(Owner)[0].doc == "as in the passport"
    assert fields_in(Size)[0].stored == "inMetres"
    assert len(fields_in(Owner)[1].metadata) == 1


def test_fields_under_another_name_are_written_and_read_back_by_a_form() -> None:
    for message in (Weight(5, 2), Owner(ownerName="Ann", age=3)):
        assert parse(type(message), written(message)) == message


def test_what_a_value_holds_beside_its_declared_fields_is_told_too() -> None:
    assert fields_of(ByName.model_validate({"byName": "a", "more": 1})) == {"name": "a", "more": 1}


def test_the_names_of_a_class_are_known_before_it_is_a_dataclass() -> None:
    class Later:
        account_id: str
        LIMIT: ClassVar[int] = 5

    assert declared_names(Later) == ("account_id",)
    assert declared_names(Kept) == ("item", "count")


@dataclass
class Box(Generic[T]):
    held: T
    missing: Nowhere  # type: ignore[name-defined] # noqa: F821
    colour: Colour | None = None


def test_an_annotation_that_names_what_is_not_there_stays_as_it_was_written() -> None:
    found = class_annotations(Box)
    assert found["missing"] == Unresolved("Nowhere")
    assert bare(found["held"]) is Decimal
    assert union_members(found["colour"]) == (Colour, type(None))
    assert class_annotations(Box, {"Nowhere": Colour})["missing"] is Colour


def test_a_class_of_the_models_own_generation_is_meant() -> None:
    module = sys.modules["cells"] = ModuleType("cells")
    source = """
from dataclasses import dataclass
@dataclass
class Item:
    n: 'int'
@dataclass
class Put:
    item: 'Item'
"""
    try:
        exec(source, module.__dict__)
        put, item = module.Put, module.Item
        exec(source, module.__dict__)
        assert fields_in(put, {"Item": item, "Put": put})[0].annotation is item
        assert fields_in(put)[0].annotation is module.Item
    finally:
        del sys.modules["cells"]


def test_a_class_that_a_function_made_knows_its_neighbours() -> None:
    def made() -> tuple[type, type]:
        @dataclass
        class Inner:
            n: int

        @dataclass
        class Outer:
            inner: Inner

        return Inner, Outer

    inner, outer = made()
    assert fields_in(outer)[0].annotation is inner


@pytest.mark.parametrize(
    ("annotation", "text", "values"),
    [
        (int, "7", [7]),
        (int, "7.0", []),
        (int | str, "7", [7, "7"]),
        (Colour, "r", [Colour.RED]),
        (Spot, "7", []),
        (Any, "7", ["7"]),
        (Annotated[int, "an id"], "7", [7]),
    ],
)
def test_a_text_is_every_value_that_is_written_as_it(annotation: Any, text: str, values: list[Any]) -> None:
    assert values_from_text(annotation, text) == values
