"""A form asks for a command's fields by their types."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional

import attrs
import msgspec
import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.messages import command
from calamity_lab.model import Model
from calamity_lab.views.form import CommandForm, FormField, forms

Sku = NewType("Sku", str)


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Line:
    sku: str
    price: Decimal = Decimal("1.50")


@dataclass(frozen=True)
class Tree:
    name: str
    parent: Tree | None = None


@attrs.frozen
class Weight:
    grams: int
    _note: str = attrs.field(factory=str)


class Size(msgspec.Struct, frozen=True):
    width: int
    tags: list[str] = msgspec.field(default_factory=lambda: ["new"])


class Spot(NamedTuple):
    x: int
    y: int = 0


class Thing:
    @classmethod
    def new(cls, id_: str) -> Thing:
        return cls()

    def execute(self, order: Any) -> Any: ...

    def apply(self, event: Any) -> Thing:
        return self


def form_of(hint: Any, **given: Any) -> FormField:
    """The form's field for a type."""
    namespace: dict[str, Any] = {"__annotations__": {"id": str, "value": hint}, **given}
    order = command(to=Thing, by="id")(dataclass(frozen=True)(type("Order", (), namespace)))
    (form,) = forms(Model(aggregates=(Thing,), commands=(order,)))
    return form.fields[1]


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (str, "text"),
        (int, "integer"),
        (bool, "boolean"),
        (float, "number"),
        (Decimal, "decimal"),
        (date, "date"),
        (datetime, "datetime"),
        (uuid.UUID, "text"),
        (Colour, "choice"),
        (Literal["a", "b"], "choice"),
        (Line, "group"),
        (Weight, "group"),
        (Size, "group"),
        (Spot, "group"),
        (list[int], "list"),
        (tuple[Line, ...], "list"),
        (frozenset[str], "list"),
        (int | str, "text"),
        (Annotated[int, "positive"], "integer"),
        (Sku, "text"),
        (timedelta, "text"),
        (dict[str, int], "list"),
        (tuple[str, int], "group"),
        (Any, "text"),
    ],
)
def test_each_type_has_its_kind_of_field(hint: Any, kind: str) -> None:
    found = form_of(hint)
    assert (found.kind, found.required, found.optional) == (kind, True, False)


@pytest.mark.parametrize("hint", [int | None, Optional[int]])  # noqa: UP045 - both ways of writing it
def test_an_optional_field_may_be_left_empty(hint: Any) -> None:
    found = form_of(hint)
    assert (found.kind, found.required, found.optional) == ("integer", False, True)


def test_a_form_names_its_target_and_what_the_command_is_for() -> None:
    found = {form.command: form for form in forms(Model.find(bank))}
    assert found["DepositFunds"] == CommandForm(
        command="DepositFunds",
        target="BankAccount",
        doc="Pay money in: cash, or the second half of a transfer.",
        fields=(
            FormField("account_id", "text"),
            FormField("amount", "integer", hint="a whole number, as in 42"),
            FormField("transfer_id", "text", required=False, optional=True),
        ),
    )


def test_a_choice_offers_the_names_of_an_enums_members() -> None:
    assert form_of(Colour, value=Colour.BLUE) == FormField(
        "value", "choice", required=False, default="BLUE", options=("RED", "BLUE")
    )


def test_a_choice_offers_the_values_of_a_literal() -> None:
    assert form_of(Literal["a", 2, None]).options == ("a", "2")
    assert form_of(Literal[1, "1"]).options == ("1", "'1'")


def test_a_group_has_the_fields_of_its_class() -> None:
    assert form_of(Line).fields == (
        FormField("sku", "text"),
        FormField("price", "decimal", required=False, default="1.50", hint="a decimal number, as in 12.50"),
    )


def test_a_list_tells_what_it_has_any_number_of() -> None:
    found = form_of(tuple[Line, ...])
    assert found.item is not None
    assert (found.item.name, found.item.kind, len(found.item.fields)) == ("", "group", 2)


@pytest.mark.parametrize(
    ("hint", "default", "shown"),
    [
        (int, 3, 3),
        (int, 2**53 + 1, "9007199254740993"),
        (bool, False, False),
        (Decimal, Decimal("2.50"), "2.50"),
        (date, date(2026, 3, 1), "2026-03-01"),
        (datetime, datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01T09:00:00+00:00"),
        (Literal[1, 2], 2, "2"),
        (Line, Line("mug"), {"sku": "mug", "price": "1.50"}),
        (list[int], field(default_factory=lambda: [1, 2]), [1, 2]),
        (tuple[Line, ...], (Line("a"),), [{"sku": "a", "price": "1.50"}]),
        (int | None, None, None),
        (int | str, "x", "x"),
    ],
)
def test_a_default_is_shown_as_json(hint: Any, default: Any, shown: Any) -> None:
    found = form_of(hint, value=default)
    assert (found.required, found.default) == (False, shown)


def test_a_default_that_cannot_be_typed_is_said_in_the_hint_and_not_put_into_the_field() -> None:
    found = form_of(complex, value=field(default=1j))
    assert (found.default, found.hint) == (None, "complex: given as text; 1j when left empty")


def test_a_dict_asks_for_entries_and_a_tuple_for_its_places() -> None:
    found = form_of(dict[str, int], value=field(default_factory=lambda: {"mug": 2}))
    assert found.default == [{"key": "mug", "value": 2}]
    assert found.item is not None
    assert [(each.name, each.kind) for each in found.item.fields] == [("key", "text"), ("value", "integer")]
    places = form_of(tuple[str, int])
    assert [(each.name, each.kind) for each in places.fields] == [("1", "text"), ("2", "integer")]


def test_what_a_class_says_about_a_field_is_in_its_hint() -> None:
    found = form_of(Annotated[int, msgspec.Meta(description="how many")])
    assert found.hint == "how many; a whole number, as in 42"


def test_attrs_and_msgspec_classes_tell_their_defaults_too() -> None:
    assert form_of(Weight).fields[1] == FormField("note", "text", required=False, default="")
    assert form_of(Size).fields[1].default == ["new"]


def test_a_class_that_contains_itself_ends() -> None:
    parent = form_of(Tree).fields[1]
    assert (parent.kind, parent.optional) == ("text", True)
    assert parent.hint == "Tree: nested too deep for a form"


def test_types_written_as_text_in_a_function_are_resolved() -> None:
    @dataclass(frozen=True, slots=True)
    class Inner:
        amount: int

    class Shape(Enum):
        ROUND = 1

    class Local(Thing):
        pass

    @command(to="Local", by="id")
    @dataclass(frozen=True, slots=True)
    class Do:
        id: str
        inner: Inner
        many: tuple[Inner, ...] = ()
        shape: Shape = Shape.ROUND

    (form,) = forms(Model(aggregates=(Local,), commands=(Do,)))
    assert [each.kind for each in form.fields] == ["text", "group", "list", "choice"]
    assert form.target == "Local"


def test_a_type_that_cannot_be_resolved_becomes_text_and_leaves_the_others_alone() -> None:
    found = form_of("Nowhere", value=None)
    assert (found.kind, found.hint) == ("text", "Nowhere: given as text")
    order = dataclass(type("Order", (), {"__annotations__": {"id": "str", "when": "Nowhere", "n": "int"}}))
    (form,) = forms(Model(commands=(order,)))
    assert [each.kind for each in form.fields] == ["text", "text", "integer"]


def test_a_factory_that_fails_leaves_the_field_without_a_default() -> None:
    def broken() -> int:
        raise RuntimeError("no")

    assert form_of(int, value=field(default_factory=broken)).default is None


def test_a_generated_docstring_is_not_shown() -> None:
    (form,) = forms(Model(commands=(dataclass(type("Order", (), {"__annotations__": {"id": str}})),)))
    assert form.doc == ""


def test_the_forms_of_the_examples_are_json() -> None:
    for domain in (bank, fulfilment):
        found = [asdict(form) for form in forms(Model.find(domain))]
        assert found == [{**form, "fields": tuple(form["fields"])} for form in found], "plain values only"
        assert json.loads(json.dumps(found))
