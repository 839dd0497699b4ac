"""Values, counts and articles as words, and texts as HTML and XML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntFlag
from typing import Any, NamedTuple

import pytest

from calamity_lab.errors import Rejected
from calamity_lab.text import (
    escape_html,
    escape_xml,
    format_fields,
    format_value,
    html_table,
    plain_sentence,
    plural,
)


class Speed(Enum):
    EXPRESS = "express"


class Door(IntFlag):
    LEFT = 1
    RIGHT = 2


@dataclass(frozen=True)
class Address:
    street: str
    number: int | None = None


class Point(NamedTuple):
    x: int
    y: int


class Bare:
    def __init__(self) -> None:
        self.size = 3


class Talkative:
    def __repr__(self) -> str:
        return "I, myself"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Alice", "Alice"),
        ("", ""),
        (None, "–"),
        (True, "True"),
        (12_000, "12000"),
        (-1.5, "-1.5"),
        (float("nan"), "nan"),
        (Decimal("8.50"), "8.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0E-8"), "0.00000000"),
        (Decimal("-1.5E-7"), "-0.00000015"),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("NaN"), "NaN"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "2026-03-01 09:30:00+00:00"),
        (timedelta(hours=1), "1:00:00"),
        (timedelta(days=2, minutes=30), "2 days, 0:30:00"),
        (timedelta(minutes=-30), "-0:30:00"),
        (Speed.EXPRESS, "EXPRESS"),
        (Door.LEFT | Door.RIGHT, "LEFT|RIGHT"),
        (Address("Call Lane", 4), "Address(street='Call Lane', number=4)"),
        (Address("Call Lane"), "Address(street='Call Lane', number=–)"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (Bare(), "Bare(size=3)"),
        (Talkative(), "I, myself"),
        (Broken(), "<Broken, whose repr raised RuntimeError>"),
        ((1, "a", Speed.EXPRESS), "(1, 'a', EXPRESS)"),
        ([Address("X", 1)], "[Address(street='X', number=1)]"),
        ({"b": 1, "a": None}, "{'b': 1, 'a': –}"),
        ({"c", "a", "b"}, "{'a', 'b', 'c'}"),
        (Address, "Address"),
        (b"ab", "b'ab'"),
        (Rejected("no", balance=3), "Rejected('no', balance=3)"),
    ],
)
def test_a_value_is_shown_as_people_write_it(value: object, text: str) -> None:
    assert format_value(value) == text


def test_a_text_is_cut_where_it_is_too_long_and_says_so() -> None:
    assert format_value("abcdef", 4) == "abc…"
    assert format_value("abcd", 4) == "abcd"


def test_cutting_a_long_value_costs_what_is_left_of_it() -> None:
    asked = []

    class Counted(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            for item in range(1_000_000):
                asked.append(item)
                yield item

    assert format_value(Counted(), 20) == "[0, 1, 2, 3, 4, 5, …"
    assert len(asked) < 20


def test_what_contains_itself_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert format_value(loop) == "[[[[[[[…]]]]]]]"


def test_an_integer_that_python_will_not_write_out_is_said_by_its_size() -> None:
    assert format_value(10**5000) == "a whole number of 16,610 bits"


def test_in_a_sentence_of_ours_what_turns_the_direction_is_written_out() -> None:
    assert format_value("\u202eabc \u2066") == "\u202eabc \u2066"
    assert plain_sentence("\u202eabc \u2066 rejected, שלום") == "\\u202eabc \\u2066 rejected, שלום"
    assert plain_sentence("\u202e" * 9, 7) == "\\u202e…"


def test_a_lone_surrogate_becomes_the_replacement_character_so_that_it_can_be_sent() -> None:
    assert format_value("a\ud800b") == "a\ufffdb"


def test_markup_is_text_like_any_other() -> None:
    assert format_value("<script>alert('x')</script> & <b>") == "<script>alert('x')</script> & <b>"


def test_the_fields_of_a_message_are_shown_by_name() -> None:
    assert format_fields(Address("Call Lane", 4)) == "street='Call Lane', number=4"
    assert format_fields(object()) == ""
    assert format_fields(Address("Call Lane", 4), 10) == "street='C…"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 moments"), (1, "1 moment"), (2, "2 moments"), (1_200, "1,200 moments")]
)
def test_a_count_has_its_noun_in_singular_only_for_one(count: int, text: str) -> None:
    assert plural(count, "moment") == text


def test_an_irregular_plural_is_given() -> None:
    assert [plural(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]


def test_markup_in_a_text_is_escaped_for_html_and_xml() -> None:
    assert escape_html('<b> & "c"') == escape_xml('<b> & "c"') == "&lt;b&gt; &amp; &quot;c&quot;"


def test_a_character_that_xml_does_not_allow_is_a_box() -> None:
    assert escape_xml("a\x00b\uffff") == "a▯b▯"


def test_every_text_of_a_table_is_escaped() -> None:
    assert html_table(["<1>"], [["<2>"]], "<3>").count("&lt;") == 3


def test_a_tuple_of_one_value_is_written_as_python_writes_it() -> None:
    assert [format_value(value) for value in (("a",), (), (1, (2,)))] == ["('a',)", "()", "(1, (2,))"]
