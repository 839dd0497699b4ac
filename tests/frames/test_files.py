"""What leaves as CSV, JSON Lines or Arrow is read by other programs as what it was, or is text."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from calamity_lab.frames import History
from tests.frames.histories import recorded


class Level(IntEnum):
    ONE = 1


class Point(NamedTuple):
    x: int
    y: int


class CardDeclined(Exception):
    """An exception of a model's own."""


@dataclass(frozen=True)
class Noted:
    value: Any = None


def history(*values: Any) -> History:
    return History(recorded(*map(Noted, values)))


AWARE = datetime(2026, 1, 2, 15, 30, tzinfo=UTC)
NAIVE = AWARE.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((date(2026, 1, 1), NAIVE), ["2026-01-01", "2026-01-02T15:30:00"]),
        ((NAIVE, AWARE), ["2026-01-02T15:30:00", "2026-01-02T15:30:00+00:00"]),
        ((Decimal("Infinity"), Decimal(5)), ["Infinity", "5"]),
        ((Decimal("1E+30"), Decimal("1E-30")), ["1E+30", "1E-30"]),
        ((Point(1, 2),), ['{"x": 1, "y": 2}']),
        (([Point(1, 2)],), ['[{"x": 1, "y": 2}]']),
        pytest.param(({"b", "a", "c"},), ['["a", "b", "c"]'], id="a set, whose own order changes"),
        ((Level.ONE, 7), ["1", "7"]),
        (([1, "a"],), ['[1, "a"]']),
    ],
    ids=str,
)
def test_what_no_arrow_type_holds_unchanged_becomes_text(values: tuple[Any, ...], texts: list[str]) -> None:
    column = history(*values).to_arrow().column("value")
    assert (column.type, column.to_pylist()) == (pa.string(), texts)


@pytest.mark.parametrize(
    "values",
    [
        (Decimal("1.5"), None, Decimal(2)),
        (date(2026, 1, 1), date(2026, 1, 2)),
        ([1, 2], [], None, [3]),
        ([[1], [2, 3]],),
        (b"a", b""),
    ],
    ids=str,
)
def test_what_an_arrow_type_holds_stays_what_it_is(values: tuple[Any, ...]) -> None:
    column = history(*values).to_arrow().column("value")
    assert column.type != pa.string()
    assert column.to_pylist() == list(values)


def test_a_text_with_a_carriage_return_stays_in_its_row() -> None:
    rows = list(csv.reader(io.StringIO(history("a\rb", "c").to_csv() or "", newline="")))
    assert [row[-1] for row in rows] == ["value", "a\rb", "c"]


def test_a_duration_is_written_in_iso_8601_everywhere() -> None:
    durations = history(timedelta(days=1), -timedelta(seconds=1.5))
    lines = [json.loads(line)["event"]["value"] for line in (durations.to_json_lines() or "").splitlines()]
    cells = [line.rpartition(",")[2] for line in (durations.to_csv() or "").splitlines()[1:]]
    assert lines == cells == ["P1D", "-PT1.5S"]


def test_a_line_of_json_is_one_line_for_every_reader() -> None:
    (line,) = (history("a\u2028b\u2029c\x85d").to_json_lines() or "").splitlines()
    assert json.loads(line)["event"]["value"] == "a\u2028b\u2029c\x85d"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.arange(2_000), list(range(2_000))),
        (np.True_, True),
        (np.float64(1.5), 1.5),
        (CardDeclined("no money"), "no money"),
        (ValueError(), "ValueError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arrays_and_exceptions_are_written_whole(value: Any, found: Any) -> None:
    (line,) = (history(value).to_json_lines() or "").splitlines()
    assert json.loads(line)["event"]["value"] == found
