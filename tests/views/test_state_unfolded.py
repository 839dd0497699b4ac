"""Nested values unfold as rows, each with its path, old value and new; only what is opened is looked into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from calamity_lab.examples import fulfilment
from calamity_lab.trace.differences import ABSENT
from calamity_lab.views.paths import BLOCK, LENGTH, FieldRow, count_in, state_at, unfolded, within
from calamity_lab.views.state import state
from tests.views.traces import story_of


class Speed(Enum):
    EXPRESS = "express"


@dataclass(frozen=True)
class Line:
    sku: str
    price: Decimal = Decimal("1.50")


@dataclass(frozen=True)
class Cart:
    lines: tuple[Line, ...] = ()
    stock: dict[Any, Any] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    note: str = ""


def text(rows: tuple[FieldRow, ...]) -> list[tuple[str, str, str | None]]:
    return [(row.path, row.value, row.before) for row in rows]


def changed(rows: tuple[FieldRow, ...]) -> list[str]:
    return [row.path for row in rows if row.changed]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *((each, 0) for each in ("text", None, 7, Decimal(1), Speed.EXPRESS, Line, b"ab", ())),
        ((1, 2), 2),
        ({"a": 1}, 1),
        (Line("mug"), 2),
        (frozenset("ab"), 2),
    ],
)
def test_a_value_tells_how_many_lie_in_it(value: Any, count: int) -> None:
    assert count_in(value) == count


def test_what_is_not_unfolded_is_one_row() -> None:
    cart = Cart((Line("mug"),))
    rows = unfolded(cart, cart)
    assert [(row.path, row.inner, row.is_open) for row in rows] == [
        ("lines", 1, False),
        ("stock", 0, False),
        ("tags", 0, False),
        ("note", 0, False),
    ]


def test_what_is_unfolded_is_followed_by_what_lies_in_it() -> None:
    cart = Cart((Line("mug"), Line("pot", Decimal("8.00"))), {"mug": [1]})
    rows = unfolded(cart, cart, ["lines", "lines[1]", "stock"])
    assert [(row.depth, row.name, row.value) for row in rows[:6]] == [
        (0, "lines", "2 items"),
        (1, "[0]", "Line(sku='mug', price=1.50)"),
        (1, "[1]", "Line"),
        (2, "sku", "pot"),
        (2, "price", "8.00"),
        (0, "stock", "1 entry"),
    ]
    assert (rows[4].path, rows[6].path) == ("lines[1].price", "stock['mug']")


def test_a_change_deep_inside_is_said_where_it_is_and_nowhere_else() -> None:
    before = Cart((Line("mug"), Line("pot")), note="a")
    after = Cart((Line("mug"), Line("pot", Decimal("2.00"))), note="a")
    rows = unfolded(after, before, ["lines", "lines[1]"])
    assert changed(rows) == ["lines", "lines[1]", "lines[1].price"]
    assert text(rows)[4] == ("lines[1].price", "2.00", "1.50")


def test_what_came_is_new_and_what_went_is_shown_once_more() -> None:
    before = Cart((Line("mug"), Line("pot")), {"a": 1, "b": 2}, frozenset({"x"}))
    after = Cart((Line("mug"),), {"b": 2, "c": 3}, frozenset({"y"}))
    rows = {row.path: row for row in unfolded(after, before, ["lines", "stock", "tags"])}
    assert (rows["lines[1]"].gone, rows["lines[1]"].before) == (True, "Line(sku='pot', price=1.50)")
    assert (rows["stock['c']"].changed, rows["stock['c']"].before) == (True, None)
    assert not rows["stock['b']"].changed
    assert rows["stock['a']"].gone
    assert (rows["tags{'y'}"].changed, rows["tags{'x'}"].gone) == (True, True)


def test_what_was_nothing_before_is_new_all_through() -> None:
    @dataclass(frozen=True)
    class Box:
        line: Line | None = None

    assert changed(unfolded(Box(Line("mug")), Box(), ["line"])) == ["line", "line.sku", "line.price"]


def test_changed_fields_come_first_and_what_lies_in_them_stays_with_them() -> None:
    before, after = Cart((Line("a"),), note="a"), Cart((Line("a"),), note="b")
    assert [row.path for row in unfolded(after, before, ["lines"])][:3] == ["note", "lines", "lines[0]"]


def test_a_long_list_unfolds_block_by_block() -> None:
    cart = Cart(tuple(Line(f"{n}") for n in range(100)))
    more = f"lines[{BLOCK}:]"
    rows = unfolded(cart, cart, ["lines"])
    assert (rows[BLOCK + 1].path, rows[BLOCK + 1].name, rows[BLOCK + 1].is_open) == (
        more,
        f"{100 - BLOCK} more",
        False,
    )
    paths = [row.path for row in unfolded(cart, cart, ["lines", more])]
    assert f"lines[{2 * BLOCK - 1}]" in paths
    assert f"lines[{2 * BLOCK}]" not in paths
    assert f"lines[{2 * BLOCK}:]" in paths


def test_only_what_is_unfolded_is_looked_into() -> None:
    class Counted(list[Any]):
        asked = 0

        def __iter__(self) -> Iterator[Any]:
            for item in super().__iter__():
                Counted.asked += 1
                yield item

    closed = {"many": Counted(range(10_000))}
    assert unfolded(closed, closed)[0].inner == 10_000
    assert Counted.asked < LENGTH
    assert len(unfolded(closed, closed, ["many"])) == BLOCK + 2
    assert Counted.asked < 2 * LENGTH


def test_a_long_text_is_cut_and_comes_whole_besides() -> None:
    long = Cart(note="<b>" + "x" * 500)
    row = unfolded(long, long)[-1]
    assert (len(row.value), row.whole) == (LENGTH, long.note)
    assert unfolded(Cart(note="short"), Cart(note="short"))[-1].whole is None


def test_a_value_that_contains_itself_unfolds_as_far_as_asked() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    assert [row.path for row in unfolded(loop, loop, ["self", "self['self']"])] == [
        "self",
        "self['self']",
        "self['self']['self']",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("note", "n"),
        ("lines[1].sku", "pot"),
        ("stock['a.b'][0]", 7),
        ("stock[EXPRESS]", "fast"),
        ("stock[(1, 'x')]", "pair"),
        ("tags{'t'}", "t"),
        ("lines[9]", ABSENT),
        ("lines[0].colour", ABSENT),
        ("stock['c']", ABSENT),
        ("nothing", ABSENT),
    ],
)
def test_a_path_leads_to_what_it_was_made_for(path: str, value: Any) -> None:
    stock = {"a.b": [7], "a": 1, Speed.EXPRESS: "fast", (1, "x"): "pair"}
    assert state_at(Cart((Line("mug"), Line("pot")), stock, frozenset({"t"}), "n"), path) == value


def test_every_row_has_a_path_of_its_own_that_leads_back_to_its_value() -> None:
    trace = story_of(fulfilment)
    for row in state(trace, trace.last, limit=100).rows:
        if row.gone:
            continue
        kind = "process_managers" if row.kind == "process manager" else "aggregates"
        whole = getattr(trace[trace.last].stack, kind)[row.stream_id]
        opened = [each.path for each in row.fields if each.inner]
        opened += [inner.path for path in opened for inner in within(state_at(whole, path), path)]
        rows = unfolded(whole, whole, opened)
        assert len({each.path for each in rows}) == len(rows)
        assert all(state_at(whole, each.path) is not ABSENT for each in rows)


def test_a_long_key_is_cut_and_still_leads_to_its_value() -> None:
    cart = Cart(stock={"k" * 100: 1, "k" * 101: 3, "'": 2})
    rows = unfolded(cart, cart, ["stock"])
    assert rows[2].name == f"'{'k' * 57}…#0"
    assert [state_at(cart, rows[n].path) for n in (2, 3, 4)] == [1, 3, 2]


def test_unfolding_holds_for_one_stream_and_no_other() -> None:
    trace = story_of(fulfilment)
    orders = [row for row in state(trace, trace.last, limit=100).rows if row.category == "Order"]
    look = (orders[0].stream_id, "lines")
    view = state(trace, trace.last, limit=100, unfolded=[look])
    assert view.unfolded == (look,)
    assert {row.stream_id for row in view.rows if any(f.is_open for f in row.fields)} == {look[0]}


def test_of_a_long_value_the_row_says_what_changed_inside() -> None:
    lines = tuple(Line(f"sku {n}") for n in range(30))
    after = Cart((*lines[:7], Line("sku 7", Decimal("9.00")), *lines[8:], Line("last")), {"mug": [1]})
    rows = {row.path: row for row in unfolded(after, Cart(lines, {"mug": [1]}))}
    assert rows["lines"].summary_of_changes == "[7].price: 1.50 → 9.00; + Line(sku='last', price=1.50)"
    assert rows["lines"].more_changes == 0
    assert rows["stock"].changes == ()


def test_small_values_are_shown_side_by_side() -> None:
    rows = {row.path: row for row in unfolded(Cart((), {"a": 2}), Cart((), {"a": 1}))}
    assert (rows["stock"].before, rows["stock"].value, rows["stock"].changes) == ("{'a': 1}", "{'a': 2}", ())


def test_more_changes_than_can_be_read_are_counted() -> None:
    before, after = {f"number {n}": n for n in range(30)}, {f"number {n}": n + 1 for n in range(30)}
    row = next(row for row in unfolded(Cart((), after), Cart((), before)) if row.path == "stock")
    assert (len(row.changes), row.more_changes) == (4, 26)
    assert row.summary_of_changes.endswith("; 26 more")


def test_unfolded_items_are_compared_with_what_they_were_wherever_they_are_now() -> None:
    before = Cart((Line("mug"), Line("pot"), Line("jug")))
    after = Cart((Line("new"), Line("mug"), Line("pot", Decimal("2.00"))))
    rows = {row.path: row for row in unfolded(after, before, ["lines"])}
    assert (rows["lines[0]"].changed, rows["lines[0]"].before) == (True, None)
    assert not rows["lines[1]"].changed
    assert rows["lines[2]"].before == "Line(sku='pot', price=1.50)"
    assert rows["lines-[2]"].gone
    moved = {row.path: row for row in unfolded(Cart(before.lines[::-1]), before, ["lines"])}
    assert [moved[f"lines[{n}]"].summary_of_changes for n in range(3)] == [
        "moved from [2] to [0]",
        "",
        "moved from [0] to [2]",
    ]
