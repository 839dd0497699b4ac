"""Where two values differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from random import Random
from time import perf_counter
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamity_lab.trace.differences import ABSENT, Change, Difference, change, differences, lines
from tests.junk import JUNK


@dataclass(frozen=True)
class Line:
    sku: str
    price: Decimal


@dataclass(frozen=True)
class Basket:
    lines: tuple[Line, ...] = ()
    note: Any = None


class Size(Enum):
    SMALL = 1
    LARGE = 2


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
        (MappingProxyType({"a": 1}), MappingProxyType({"a": 2}), [("a", 1, 2)]),
        ({1: "a"}, {"1": "a"}, [("1", "a", ABSENT), ("1", ABSENT, "a")]),
        (Basket(note=Size.SMALL), Basket(note=Size.LARGE), [("note", Size.SMALL, Size.LARGE)]),
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


@dataclass(frozen=True)
class Stock:
    items: dict[str, Line]
    log: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()


LONG = "the order was packed in the warehouse and left it on Monday with the first van"


def told(before: Any, after: Any) -> list[str]:
    found = change(before, after)
    return [] if found is None else [str(line) for line in lines(found)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 2], [1, 2], []),
        (("a", "b"), ("a", "b", "c"), ["+ 'c'"]),
        (["a", "b", "c"], ["a", "c"], ["- 'b' at [1]"]),
        (["a", "b"], ["a"], ["- 'b'"]),
        (["a", "c"], ["a", "b", "c"], ["+ 'b' at [1]"]),
        (["a", "a"], ["a", "a", "a"], ["+ 'a'"]),
        (["a", "b", "c"], ["b", "c", "a"], ["'a' moved from [0] to [2]"]),
        ([1, 2, 3, 4], [1, 9, 3, 4], ["[1]: 2 → 9"]),
        ({1, 2}, {2, 3}, ["- 1", "+ 3"]),
        ({"a": 1, "b": 2}, {"a": 2, "c": 3}, ["['a']: 1 → 2", "['c'] + 3", "['b'] - 2"]),
        ({1: "x"}, {1: "y", "1": "x"}, ["[1]: 'x' → 'y'", "['1'] + 'x'"]),
        (
            Stock({"mug": Line("mug", Decimal(2))}, ("opened",)),
            Stock({"mug": Line("mug", Decimal(3))}, ("opened", "BookingCancelled")),
            ["items['mug'].price: 2 → 3", "log + 'BookingCancelled'"],
        ),
        (
            (Line("tea", Decimal(1)), Line("mug", Decimal(2))),
            (Line("pot", Decimal(9)), Line("tea", Decimal(1)), Line("mug", Decimal(5))),
            ["+ Line(sku='pot', price=9) at [0]", "[2].price: 2 → 5"],
        ),
        ("open", "closed", ["'open' → 'closed'"]),
        (
            LONG,
            LONG.replace("Monday", "Friday"),
            ["…and left it on [Monday → Friday] with the first van"],
        ),
        (LONG, f"{LONG}, full", ["…with the first van[+, full]"]),
        (
            LONG,
            LONG.replace("in the warehouse ", ""),
            ["the order was packed [-in the warehouse ]and left it on Monday…"],
        ),
        ([1], (1,), ["[1] → (1,)"]),
    ],
)  # fmt: skip
def test_what_changed_inside_a_value_is_told(before: Any, after: Any, expected: list[str]) -> None:
    assert told(before, after) == expected


def applied(found: Change | None, before: Any) -> Any:
    """The old value after the change: what is told is enough to make the new value."""
    if found is None:
        return before
    if not found.inner:
        return found.after
    if isinstance(before, str):
        return _applied_to_text(found, before)
    if isinstance(before, (set, frozenset)):
        gone = {each.was for each in found.inner if each.kind == "removed"}
        return type(before)((before - gone) | {each.key for each in found.inner if each.kind == "added"})
    if isinstance(before, Basket):
        made = {each.key: applied(each, getattr(before, each.key)) for each in found.inner}
        return replace(before, **made)
    if isinstance(before, dict):
        entries = dict(before)
        for each in found.inner:
            if each.kind == "removed":
                del entries[each.was]
            else:
                entries[each.key] = each.after if each.kind == "added" else applied(each, entries[each.key])
        return entries
    return type(before)(_applied_to_list(found, before))


def _applied_to_text(found: Change, before: str) -> str:
    for each in sorted(found.inner, key=lambda each: each.was, reverse=True):
        assert before[each.was : each.was + len(each.before)] == each.before
        before = before[: each.was] + each.after + before[each.was + len(each.before) :]
    return before


def _applied_to_list(found: Change, before: Any) -> list[Any]:
    taken = {each.was for each in found.inner if each.was is not None}
    rest = iter([item for n, item in enumerate(before) if n not in taken])
    placed = {each.key: each for each in found.inner if each.key is not None}
    size = len(before) + sum({"added": 1, "removed": -1}.get(each.kind, 0) for each in found.inner)
    made = []
    for n in range(size):
        each = placed.get(n)
        if each is None:
            made.append(next(rest))
        else:
            made.append(each.after if each.kind == "added" else applied(each, before[each.was]))
    return made


atoms = st.integers(0, 4) | st.sampled_from(["a", "b", LONG]) | st.none()
nested = st.recursive(
    atoms | st.frozensets(st.integers(0, 5)),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.lists(inner, max_size=6).map(tuple)
        | st.dictionaries(st.sampled_from("abcd"), inner)
        | st.builds(Basket, st.lists(inner, max_size=3).map(tuple), inner)
    ),
    max_leaves=12,
)
words = st.lists(st.sampled_from(["tea", "mug", "a", " ", ", ", "\n", "Zürich", "x1"]), max_size=60).map(
    "".join
)


@given(nested, nested)
def test_the_told_changes_applied_to_the_old_value_give_the_new_one(before: Any, after: Any) -> None:
    assert applied(change(before, after), before) == after


@given(st.lists(atoms, max_size=12), st.randoms())
def test_items_in_another_order_are_moved_and_nothing_else(before: list[Any], random: Any) -> None:
    after = random.sample(before, len(before))
    found = change(before, after)
    assert applied(found, before) == after
    assert found is None or {each.kind for each in found.inner} == {"moved"}


@given(words, words, words)
def test_the_told_changes_of_a_text_give_the_new_text(start: str, middle: str, end: str) -> None:
    before, after = start + middle + end, start + end + middle
    assert applied(change(before, after), before) == after


def test_a_long_list_is_compared_in_a_moment() -> None:
    before: list[Any] = [f"item {n}" for n in range(10_000)]
    after = [*before[:3], "new", *before[4:5_000], *before[5_001:], "last"]
    random = Random(1)
    shuffled, doubled = random.sample(before, len(before)), [n % 3 for n in range(10_000)]
    began = perf_counter()
    assert told(before, after) == ["[3]: 'item 3' → 'new'", "- 'item 5000' at [5000]", "+ 'last'"]
    for one, other in [(before, shuffled), (doubled, doubled[1:]), (doubled, random.sample(doubled, 10_000))]:
        assert applied(change(one, other), one) == other
    text = " ".join(before)
    assert len(told(text, text.replace("item 7 ", "").replace("item 9000", "gone"))) == 2
    assert perf_counter() - began < 3


@pytest.mark.parametrize("name", JUNK)
def test_odd_values_are_told_and_never_raise(name: str) -> None:
    for one, other in [(JUNK[name](), JUNK[name]()), (JUNK[name](), 1), ({"a": [1]}, JUNK[name]())]:
        for old, new in [
            (one, other),
            ([one, 1], [other, 2]),
            ({"it": one}, {"it": other}),
            ([one], [1, one]),
        ]:
            assert all(told(old, new))
