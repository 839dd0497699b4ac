"""Where two values differ."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamity_lab.trace.differences import ABSENT, Difference, differences


@dataclass(frozen=True)
class Line:
    sku: str
    price: Decimal


@dataclass(frozen=True)
class Basket:
    lines: tuple[Line, ...] = ()
    note: Any = None


@dataclass(eq=False)
class Incomparable:
    value: int


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Basket(note="a"), Basket(note="b"), [("note", "a", "b")]),
        (
            Basket((Line("tea", Decimal(1)),)),
            Basket((Line("tea", Decimal(2)),)),
            [("lines[0].price", Decimal(1), Decimal(2))],
        ),
        (Basket(), Basket((Line("tea", Decimal(1)),)), [("lines[0]", ABSENT, Line("tea", Decimal(1)))]),
        ({"a": 1}, {"b": 1}, [("a", 1, ABSENT), ("b", ABSENT, 1)]),
        (Basket(note={"k": [1, 2]}), Basket(note={"k": [1, 3]}), [("note.k[1]", 2, 3)]),
        (1, True, [("", 1, True)]),
        (Incomparable(1), Incomparable(1), []),
        (float("nan"), float("nan"), []),
        ({1, 2}, {1, 3}, [("", {1, 2}, {1, 3})]),
    ],
)
def test_every_place_is_named_by_its_path(before: Any, after: Any, expected: list[Any]) -> None:
    assert list(differences(before, after)) == [Difference(*each) for each in expected]


values = st.recursive(
    st.integers() | st.text() | st.none() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=10,
)


@given(values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert list(differences(value, value)) == []


def test_the_field_of_a_difference_is_the_outermost_one() -> None:
    assert Difference("lines[2].price", 1, 2).field == "lines"
