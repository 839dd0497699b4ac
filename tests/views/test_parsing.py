"""What was typed into a form becomes a command, or every wrong field has an error."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import InvalidFields, InvalidValue, Rejected
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds
from calamity_lab.examples.fulfilment import PlaceOrder
from calamity_lab.views.form import written
from calamity_lab.views.parsing import parse

# A time without a zone is accepted as it is given.
NAIVE = datetime.fromisoformat("2026-03-01T14:30:00")


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Line:
    sku: str
    price: Decimal

    def __post_init__(self) -> None:
        if self.price < 0:
            raise ValueError("a price is not negative")


@dataclass(frozen=True)
class Card:
    number: str


@dataclass(frozen=True)
class Iban:
    number: str


class Sku(str):
    """A text of a class of its own."""

    __slots__ = ()


@dataclass(frozen=True)
class Everything:
    text: str
    whole: int
    number: float
    exact: Decimal
    truth: bool
    day: date
    moment: datetime
    hour: time
    key: UUID
    colour: Colour
    word: Literal["a", 1, None]
    line: Line
    lines: tuple[Line, ...]
    names: frozenset[str]
    length: timedelta
    raw: bytes
    stock: dict[str, Decimal]
    seat: tuple[str, int]
    paid: Card | Iban
    sku: Sku
    maybe: int | None = None
    either: int | date | str = 0
    numbers: list[int] = field(default_factory=list)


@attrs.frozen
class Weight:
    _grams: int


class Size(msgspec.Struct, frozen=True):
    width: int
    weight: Weight | None = None


def wrong(cls: type, **values: Any) -> dict[str, str]:
    """What is wrong with the values."""
    with pytest.raises(InvalidFields) as caught:
        parse(cls, values)
    return dict(caught.value.errors)


def one(hint: Any) -> type:
    """A class with a single field of that type."""
    return dataclass(frozen=True)(type("One", (), {"__annotations__": {"value": hint}}))


def read(hint: Any, value: Any) -> Any:
    return parse(one(hint), {"value": value}).value


def problem(hint: Any, value: Any) -> str:
    return wrong(one(hint), value=value)["value"]


LINES = st.builds(Line, st.text(min_size=1), st.decimals(min_value=0, allow_nan=False, allow_infinity=False))
ZONED = st.datetimes(timezones=st.sampled_from([UTC, None]))


@settings(deadline=None)
@given(
    st.builds(
        Everything,
        text=st.text(min_size=1),
        whole=st.integers(),
        number=st.floats(allow_nan=False, allow_infinity=False),
        exact=st.decimals(allow_nan=False, allow_infinity=False),
        truth=st.booleans(),
        day=st.dates(),
        moment=ZONED,
        hour=st.times(),
        key=st.uuids(),
        colour=st.sampled_from(Colour),
        word=st.sampled_from(["a", 1, None]),
        line=LINES,
        lines=st.lists(LINES, max_size=3).map(tuple),
        names=st.frozensets(st.text(min_size=1), max_size=3),
        length=st.timedeltas(),
        raw=st.binary(min_size=1),
        stock=st.dictionaries(
            st.text(min_size=1), st.decimals(allow_nan=False, allow_infinity=False), max_size=3
        ),
        seat=st.tuples(st.text(min_size=1), st.integers()),
        paid=st.builds(Card, st.text(min_size=1)) | st.builds(Iban, st.text(min_size=1)),
        sku=st.text(min_size=1).map(Sku),
        maybe=st.none() | st.integers(),
        either=st.integers() | st.dates() | st.from_regex(r"[a-z]+", fullmatch=True),
        numbers=st.lists(st.integers(), max_size=3),
    )
)
def test_a_command_written_as_json_is_read_back_as_it_was(message: Everything) -> None:
    sent = json.loads(json.dumps(written(message)))
    assert parse(Everything, sent) == message


@settings(deadline=None)
@given(st.builds(Line, st.text(min_size=1), st.decimals(min_value=0, allow_nan=False, allow_infinity=False)))
def test_a_decimal_keeps_the_places_that_were_typed(line: Line) -> None:
    assert str(parse(Line, written(line)).price) == str(line.price)


@settings(deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
)
def test_whatever_is_given_is_read_or_shown_as_wrong(anything: Any) -> None:
    for hint in (int, float, Decimal, bool, date, datetime, Colour, Line, list[int], int | str, UUID):
        outcome = errors_or_none(one(hint), anything)
        assert outcome is None or outcome


def errors_or_none(cls: type, anything: Any) -> Any:
    try:
        parse(cls, {"value": anything})
    except InvalidFields as error:
        return error.errors
    return None


def test_the_stories_of_the_examples_are_read_back() -> None:
    for message in (*bank.story(), *fulfilment.story()):
        assert parse(type(message), json.loads(json.dumps(written(message)))) == message


@pytest.mark.parametrize(
    ("hint", "typed", "value"),
    [
        (int, " 42 ", 42),
        (int, "-7", -7),
        (int, "+7", 7),
        (int, "1 000", 1_000),
        (int, "1_000_000", 1_000_000),
        (int, "12\u00a0345", 12_345),
        (int, 3.0, 3),
        (float, "1e3", 1_000.0),
        (float, ".5", 0.5),
        (float, 2, 2.0),
        (Decimal, " 1 234.50 ", Decimal("1234.50")),
        (Decimal, 0.1, Decimal("0.1")),
        (Decimal, 3, Decimal(3)),
        (bool, True, True),
        (bool, "false", False),
        (date, "2026-03-01", date(2026, 3, 1)),
        (datetime, "2026-03-01T14:30", NAIVE),
        (datetime, "2026-03-01T14:30:00Z", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        (Colour, "RED", Colour.RED),
        (Literal["a", 2], "2", 2),
        (Literal["a", 2], 2, 2),
        (str, "  kept  ", "  kept  "),
        (str, "<script>alert(1)</script>", "<script>alert(1)</script>"),
        (str, "__import__('os').getcwd()", "__import__('os').getcwd()"),
        (int | date | str, "7", 7),
        (int | date | str, "2026-03-01", date(2026, 3, 1)),
        (int | date | str, "soon", "soon"),
        (int | Line, {"sku": "a", "price": "1"}, Line("a", Decimal(1))),
        (int | None, "", None),
        (int | None, "  ", None),
        (int | None, None, None),
        (Any, "[1, 2]", "[1, 2]"),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (timedelta, "1:30:00", timedelta(hours=1, minutes=30)),
        (timedelta, " 2 days, 0:00:01.5 ", timedelta(days=2, seconds=1.5)),
        (timedelta, "1 day", timedelta(days=1)),
        (timedelta, "-0:30", -timedelta(minutes=30)),
        (timedelta, "P1DT2H", timedelta(days=1, hours=2)),
        (bytes, "aGk=", b"hi"),
        (dict[str, int], '{"mug": "2"}', {"mug": 2}),
        (dict[date, Decimal], [{"key": "2026-03-01", "value": "9.50"}], {date(2026, 3, 1): Decimal("9.50")}),
        (dict, {"a": [1]}, {"a": [1]}),
        (tuple[str, int], '["A", 1]', ("A", 1)),
        (tuple[str, int], {"1": "A", "2": "1"}, ("A", 1)),
        (Line, '{"sku": "a", "price": "1"}', Line("a", Decimal(1))),
        (Card | Iban, {"_type": "Iban", "number": "DE02"}, Iban("DE02")),
        (Card | Iban, '{"_type": "Iban", "number": "DE02"}', Iban("DE02")),
        (Card | Iban, {"number": "4000"}, Card("4000")),
        (Sku, " mug ", Sku(" mug ")),
        (list[int], [" 1 ", 2], [1, 2]),
        (set[Colour], ["RED"], {Colour.RED}),
    ],
)
def test_a_text_is_read_by_the_type_of_its_field(hint: Any, typed: Any, value: Any) -> None:
    found = read(hint, typed)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("hint", "typed", "message"),
    [
        (int, "abc", "‘abc’ is not a whole number, as in 42"),
        (int, "1.5", "‘1.5’ is not a whole number, as in 42"),
        (int, "1 00", "‘1 00’ is not a whole number, as in 42"),
        (int, "0x10", "‘0x10’ is not a whole number, as in 42"),
        (int, "٣", "‘٣’ is not a whole number, as in 42"),
        (int, True, "True is not a whole number, as in 42"),
        (Decimal, "abc", "‘abc’ is not a decimal number, as in 12.50"),
        (Decimal, "NaN", "‘NaN’ cannot be calculated with: give a finite number"),
        (Decimal, "-Infinity", "‘-Infinity’ cannot be calculated with: give a finite number"),
        (float, "inf", "‘inf’ cannot be calculated with: give a finite number"),
        (float, float("nan"), "nan cannot be calculated with: give a finite number"),
        (float, "1e999", "‘1e999’ is beyond what a number can hold (about 1.8e308)"),
        (bool, "yes", "‘yes’ is neither true nor false"),
        (bool, 1, "1 is neither true nor false"),
        (date, "1.3.2026", "‘1.3.2026’ is not a date, as in 2026-03-01"),
        (date, "2026-02-30", "‘2026-02-30’ is not a date, as in 2026-03-01"),
        (datetime, "noon", "‘noon’ is not a date and time, as in 2026-03-01T14:30"),
        (Colour, "GREEN", "‘GREEN’ is not one of RED, BLUE"),
        (Literal["a", 2], "b", "‘b’ is not one of a, 2"),
        (str, 5, "5 is not a text"),
        (list[int], "1, 2", "‘1, 2’ is not a list"),
        (Line, "mug", "‘mug’ is not a Line: give its fields by name"),
        (int | date, "x", "‘x’ is none of these: a whole number, as in 42; or a date, as in 2026-03-01"),
        (timedelta, "soon", "‘soon’ is not a duration, as in 1:30:00 or 2 days"),
        (timedelta, "-1 day, 23:00:00", "‘-1 day, 23:00:00’ is not a duration, as in 1:30:00 or 2 days"),
        (timedelta, "P9999999999D", "‘P9999999999D’ is longer than a duration can be"),
        (bytes, "ab!", "‘ab!’ is not bytes in base 64, as in aGk="),
        (dict[str, int], "mug", "‘mug’ is not an object"),
        (dict[str, int], '{"mug"', '‘{"mug"’ is not an object'),
        (tuple[str, int], "A", "‘A’ is not a tuple of 2: give its values in order"),
        (tuple[str, int], ["A"], "['A'] is not a tuple of 2: give its values in order"),
        (int, "", "is missing: give a whole number, as in 42"),
        (int, None, "is missing: give a whole number, as in 42"),
        (str, "", "is missing: give a text"),
        (Colour, " ", "is missing: give one of RED, BLUE"),
    ],
)
def test_what_is_wrong_is_said_in_clear_words(hint: Any, typed: Any, message: str) -> None:
    assert problem(hint, typed) == message


@pytest.mark.parametrize("typed", ["1,000", "12,50", "1,234.50"])
@pytest.mark.parametrize("hint", [int, float, Decimal])
def test_a_comma_in_a_number_is_rejected_because_it_means_two_things(hint: Any, typed: str) -> None:
    assert problem(hint, typed).startswith(
        f"‘{typed}’ has a comma, which means thousands to some and decimals to others"
    )


def test_a_number_that_is_too_long_is_rejected_quickly() -> None:
    assert problem(int, "9" * 100_000).endswith("is too long: a number has at most 4,000 digits")


def test_all_wrong_fields_are_said_at_once_each_by_its_path() -> None:
    values: Any = written(fulfilment.story()[4])
    values["lines"][0]["unit_price"] = "abc"
    values["lines"].append({"sku": "cup", "quantity": "two"})
    values["card"]["limit"] = ""
    values["ship_to"] = None
    values["speed"] = "FAST"
    values["colour"] = "red"
    assert wrong(PlaceOrder, **values) == {
        "colour": "PlaceOrder has no field of this name (its fields: order_id, customer, lines, ship_to, "
        "card, placed_at, speed, gift_note)",
        "lines[0].unit_price": "‘abc’ is not a decimal number, as in 12.50",
        "lines[2].quantity": "‘two’ is not a whole number, as in 42",
        "lines[2].unit_price": "is missing: give a decimal number, as in 12.50",
        "ship_to": "is missing: give the fields of Address",
        "card.limit": "is missing: give a decimal number, as in 12.50",
        "speed": "‘FAST’ is not one of STANDARD, EXPRESS",
    }


def test_an_unknown_field_is_rejected_and_the_one_that_was_meant_is_named() -> None:
    errors = wrong(DepositFunds, account_id="a", amount="1", ammount="2")
    assert list(errors) == ["ammount"]
    assert "did you mean amount?" in errors["ammount"]


def test_a_field_that_is_left_out_takes_its_default() -> None:
    assert parse(DepositFunds, {"account_id": "a", "amount": 5}) == DepositFunds("a", 5, None)
    assert parse(bank.CreateAccount, {"account_id": "a", "name": ""}) == bank.CreateAccount("a", None)


def test_what_the_class_itself_refuses_is_said_under_its_path() -> None:
    assert wrong(Line, sku="a", price="-1") == {"": "a price is not negative"}
    assert wrong(one(Line), value={"sku": "a", "price": "-1"}) == {"value": "a price is not negative"}
    assert wrong(one(list[Line]), value=[{"sku": "a", "price": "-1"}]) == {
        "value[0]": "a price is not negative"
    }


def test_a_command_is_made_only_when_every_field_is_right() -> None:
    made = []

    @dataclass(frozen=True)
    class Watched:
        count: int
        name: str

        def __post_init__(self) -> None:
            made.append(self)

    wrong(Watched, count="1", name="")
    assert not made


def test_a_class_may_refuse_with_any_error() -> None:
    @dataclass(frozen=True)
    class Picky:
        count: int

        def __post_init__(self) -> None:
            raise Rejected("not today", count=self.count)

    assert wrong(Picky, count="1") == {"": "not today (count 1)"}


def test_attrs_and_msgspec_classes_are_made_too() -> None:
    assert parse(Size, {"width": "3", "weight": {"grams": "5"}}) == Size(3, Weight(5))


def test_classes_may_be_given_for_types_that_are_written_as_text() -> None:
    order = dataclass(frozen=True)(type("Order", (), {"__annotations__": {"line": "Elsewhere"}}))
    elsewhere = dataclass(frozen=True)(type("Elsewhere", (), {"__annotations__": {"n": int}}))
    assert parse(order, {"line": {"n": "3"}}, classes=[elsewhere]).line == elsewhere(3)


def test_the_error_is_an_invalid_value_that_names_the_command_and_its_fields() -> None:
    with pytest.raises(
        InvalidValue, match=r"DepositFunds cannot be made: account_id: is missing.*; amount: ‘x’"
    ):
        parse(DepositFunds, {"amount": "x"})


def test_a_key_that_is_given_twice_is_said() -> None:
    entries = [{"key": "mug", "value": 1}, {"key": "mug", "value": 2}]
    assert problem(dict[str, int], entries) == "the key ‘mug’ is given more than once"


def test_what_is_wrong_in_an_entry_or_a_place_is_said_by_its_path() -> None:
    assert wrong(one(dict[str, int]), value={"mug": "many"}) == {
        "value[0].value": "‘many’ is not a whole number, as in 42"
    }
    assert wrong(one(tuple[str, int]), value=["A", "x"]) == {"value.2": "‘x’ is not a whole number, as in 42"}
    assert wrong(one(Card | Iban), value={"_type": "Iban"}) == {"value.number": "is missing: give a text"}
