"""A table of values, and what is read back of each from CSV, JSON Lines, Arrow and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from calamity_lab.frames import History
from calamity_lab.stores.serializer import Serializer
from tests.frames.histories import recorded


@dataclass(frozen=True)
class Noted:
    value: Any = None


class Colour(Enum):
    RED = "#f00"
    BLUE = "#00f"


class Stage(Enum):
    FIRST = auto()
    SECOND = auto()


class Mixed(Enum):
    PAIR = (1, 2)
    WORD = "word"


class Level(IntEnum):
    LOW = 1


class Speed(StrEnum):
    FAST = "fast"


class Rights(Flag):
    READ = 1
    WRITE = 2


class Bits(IntFlag):
    ONE = 1
    TWO = 2


@dataclass(frozen=True)
class Point:
    x: Any = 1


@dataclass(frozen=True)
class Label:
    name: str = "a"


class Pair(NamedTuple):
    a: int
    b: int


class Read(NamedTuple):
    """The values of one column, and what is read back: by JSON, by CSV, and by Arrow and Parquet.

    Without ``csv`` the cells are the texts of ``json``; without ``arrow`` Arrow has the cells of CSV.
    """

    values: list[Any]
    json: list[Any]
    csv: list[str] | None = None
    arrow: list[Any] | None = None


BERLIN = ZoneInfo("Europe/Berlin")
NAIVE = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001
AWARE = NAIVE.replace(tzinfo=UTC)
TEXT, AWARE_TEXT = "2026-01-02T03:04:05.678901", "2026-01-02T03:04:05.678901+00:00"
NAN, INFINITE = float("nan"), float("inf")

VALUES: Mapping[str, Read] = {
    # times
    "a date and a time": Read([date(2026, 1, 1), NAIVE], ["2026-01-01", TEXT]),
    "dates": Read([date(1, 1, 1)], ["0001-01-01"], arrow=[date(1, 1, 1)]),
    "naive and aware times": Read([NAIVE, AWARE], [TEXT, AWARE_TEXT]),
    "two zones": Read(
        [AWARE.astimezone(BERLIN), AWARE],
        ["2026-01-02T04:04:05.678901+01:00", AWARE_TEXT],
        [AWARE_TEXT.replace("T", " ")] * 2,
        [AWARE, AWARE],
    ),
    "the second 02:30 of a night": Read(
        [datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)],
        ["2026-10-25T02:30:00+01:00"],
        ["2026-10-25 01:30:00+00:00"],
        [datetime(2026, 10, 25, 1, 30, tzinfo=UTC)],
    ),
    "that night in a list": Read(
        [[datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)]],
        [["2026-10-25T02:30:00+01:00"]],
        arrow=[[datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)]],
    ),
    "a time of day": Read([time(1, 2, 3)], ["01:02:03"], arrow=[time(1, 2, 3)]),
    "a time of day with a zone": Read([time(1, 2, tzinfo=UTC)], ["01:02:00+00:00"]),
    "durations": Read(
        [timedelta(days=1, seconds=1), -timedelta(seconds=1.5), None],
        ["P1DT1S", "-PT1.5S", None],
        ["P1DT1S", "-PT1.5S", ""],
        [timedelta(days=1, seconds=1), -timedelta(seconds=1.5), None],
    ),
    "the longest duration": Read([timedelta.max], ["P999999999DT86399.999999S"]),
    # numbers
    "Decimals": Read([Decimal("1.10"), Decimal(2)], ["1.10", "2"], arrow=[Decimal("1.10"), Decimal("2.00")]),
    "Decimals beyond Arrow": Read([Decimal("1E+50"), Decimal("1E-50")], ["1E+50", "1E-50"]),
    "60 digits": Read([Decimal("1" * 60)], ["1" * 60]),
    "Decimals that are no number": Read([Decimal("NaN"), Decimal("-Infinity")], ["NaN", "-Infinity"]),
    "a Decimal and an int": Read([Decimal("1.5"), 2], ["1.5", 2], arrow=[Decimal("1.5"), Decimal(2)]),
    "a Decimal and a float": Read([Decimal("1.5"), 2.5], ["1.5", 2.5]),
    "NaN and infinities": Read(
        [NAN, INFINITE, -INFINITE], ["nan", "inf", "-inf"], ["", "inf", "-inf"], [None, INFINITE, -INFINITE]
    ),
    "beyond 64 bits": Read([2**64, 1], [2**64, 1]),
    "an int and a float": Read([1, 2.5], [1, 2.5], ["1.0", "2.5"], [1.0, 2.5]),
    "an int too long for a float": Read([2**60 + 1, 2.5], [2**60 + 1, 2.5]),
    "a bool and an int": Read([True, 2], [True, 2], ["True", "2"]),
    "a bool that is missing": Read([True, None], [True, None], ["True", ""], [True, None]),
    "an int that is missing": Read([1, None], [1, None], ["1", ""], [1, None]),
    "a Fraction": Read([Fraction(1, 3)], ["1/3"]),
    # collections
    "a set": Read([{10, 9}], [[9, 10]]),
    "a frozenset": Read([frozenset("ba")], [["a", "b"]]),
    "a set of several types": Read([{1, "a"}], [["a", 1]]),
    "a deque": Read([deque([1, "a"])], [[1, "a"]]),
    "a range": Read([range(10**12)], ["range(0, 1000000000000)"]),
    "lists": Read([[1], [], None], [[1], [], None], ["[1]", "[]", ""], [[1], [], None]),
    "a tuple of several types": Read([(1, "a")], [[1, "a"]]),
    "a named tuple": Read([Pair(1, 2)], [{"a": 1, "b": 2}]),
    "lists of dates": Read([[date(2026, 1, 1)]], [["2026-01-01"]], arrow=[[date(2026, 1, 1)]]),
    "dicts": Read(
        [OrderedDict(a=1), MappingProxyType({"b": 2}), Counter("aa")], [{"a": 1}, {"b": 2}, {"a": 2}]
    ),
    "dates as keys": Read([{date(2026, 1, 1): 1}], [{"2026-01-01": 1}]),
    "tuples as keys": Read([{(1, 2): 3}], [{"[1, 2]": 3}]),
    "None and bools as keys": Read([{None: 1, True: 2}], [{"null": 1, "true": 2}]),
    "keys that are one text": Read([{1: "a", "1": "b"}], [[[1, "a"], ["1", "b"]]]),
    # enums
    "texts as values": Read([Colour.RED, None], ["#f00", None], ["#f00", ""], ["#f00", None]),
    "auto() values": Read([Stage.FIRST], [1], arrow=[1]),
    "values of any kind": Read([Mixed.PAIR], ["PAIR"]),
    "an IntEnum": Read([Level.LOW], [1], arrow=[1]),
    "an IntEnum and an int": Read([Level.LOW, 7], [1, 7]),
    "a StrEnum": Read([Speed.FAST], ["fast"]),
    "flags": Read([Rights.READ, Rights.READ | Rights.WRITE, Rights(0)], [1, 3, 0]),
    "int flags": Read([Bits.ONE | Bits.TWO], [3]),
    "enums in a list": Read([[Colour.RED, Stage.FIRST, Mixed.WORD]], [["#f00", 1, "WORD"]]),
    "enums as keys": Read([{Colour.RED: 1, Stage.FIRST: 2}], [{"#f00": 1, "1": 2}]),
    # numpy and pandas
    "numpy's ints": Read([np.int64(3), np.int64(2**62)], [3, 2**62], arrow=[3, 2**62]),
    "numpy's bool": Read([np.True_], [True], ["True"], [True]),
    "an array": Read([np.arange(3)], [[0, 1, 2]], arrow=[[0, 1, 2]]),
    "an array of arrays": Read([np.eye(2)], [[[1.0, 0.0], [0.0, 1.0]]]),
    "an array with names": Read(
        [np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])], [[{"a": 1, "b": 2.0}]]
    ),
    "an array of nanoseconds": Read(
        [np.array(["2026-01-01T00:00:00.123456789"], "M8[ns]")],
        [["2026-01-01T00:00:00.123456789"]],
        arrow=[[pd.Timestamp("2026-01-01T00:00:00.123456789")]],
    ),
    "an array of objects": Read([np.array([Colour.RED, None])], [["#f00", None]]),
    "numpy's date": Read([np.datetime64("2026-01-01")], ["2026-01-01"]),
    "numpy's duration": Read([np.timedelta64(5, "s")], ["PT5S"], arrow=[timedelta(seconds=5)]),
    "what is missing in numpy and pandas": Read(
        [np.datetime64("NaT", "ns"), pd.NaT, pd.NA], [None] * 3, [""] * 3, [None] * 3
    ),
    "nanoseconds": Read(
        [pd.Timestamp("2026-01-01T00:00:00.123456789")], ["2026-01-01T00:00:00.123456789"]
    ),
    "a nanosecond": Read([pd.Timedelta(5, "ns")], ["P0DT0H0M0.000000005S"]),
    "a column of pandas": Read([pd.Series([1, 2])], [[1, 2]]),
    "a frame": Read([pd.DataFrame({"a": [1], "b": ["x"]})], [[{"a": 1, "b": "x"}]]),
    "a long double": Read([np.longdouble("1.5")], ["1.5"]),
    # texts and bytes
    **{
        f"{text!r} in a text": Read([f"a{text}b"], [f"a{text}b"])
        for text in [*"\u2028\u2029\r\n\0\x85\x0b\x1c\",\\\U0001f600", "\r\n"]
    },
    "texts that look like something else": Read(["NA", "nan", "None", " 1 "], ["NA", "nan", "None", " 1 "]),
    "no text and none": Read(["", None], ["", None], ["", ""], ["", None]),
    "bytes": Read([b"\xff\0"], ["/wA="], arrow=[b"\xff\0"]),
    "a bytearray and a view": Read(
        [[bytearray(b"ab"), memoryview(b"ab")]], [["YWI=", "YWI="]]
    ),
    "a UUID": Read([UUID(int=7)], [str(UUID(int=7))], arrow=[UUID(int=7)]),
    "a path": Read([PurePosixPath("/a/b")], ["/a/b"]),
    # records
    "records of two classes": Read([Point(), Label()], [{"x": 1}, {"name": "a"}]),
    "records in records": Read([Point(Point([Label()]))], [{"x": {"x": [{"name": "a"}]}}]),
    "a record that is missing": Read([Point(), None], [{"x": 1}, None], ['{"x": 1}', ""], ['{"x": 1}', None]),
    "an exception": Read([ValueError("no")], ["no"]),
    "values of every kind": Read(
        [1, "1", None, 2.5, [1], {"a": 1}],
        [1, "1", None, 2.5, [1], {"a": 1}],
        ["1", "1", "", "2.5", "[1]", '{"a": 1}'],
        ["1", "1", None, "2.5", "[1]", '{"a": 1}'],
    ),
}  # fmt: skip


@pytest.fixture(params=VALUES)
def read(request: pytest.FixtureRequest) -> Read:
    return VALUES[request.param]


def history(read: Read) -> History:
    return History(recorded(*map(Noted, read.values)))


def cells(read: Read) -> list[str]:
    return read.csv or [each if isinstance(each, str) else json.dumps(each) for each in read.json]


def test_json_lines(read: Read) -> None:
    lines = (history(read).to_json_lines() or "").splitlines()
    assert [json.loads(line)["event"]["value"] for line in lines] == read.json


def test_csv(read: Read, tmp_path: Path) -> None:
    text = history(read).to_csv() or ""
    _, *rows = csv.reader(io.StringIO(text, newline=""))
    assert [row[-1] for row in rows] == cells(read)
    history(read).to_csv(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_bytes() == text.encode()


def test_arrow_and_parquet(read: Read, tmp_path: Path) -> None:
    expected = cells(read) if read.arrow is None else read.arrow
    arrow = history(read).to_arrow()["value"].to_pylist()
    assert arrow == expected
    assert list(map(type, arrow)) == list(map(type, expected))
    history(read).to_parquet(tmp_path / "x.parquet")
    assert parquet.read_table(tmp_path / "x.parquet")["value"].to_pylist() == expected
    assert len(pd.read_parquet(tmp_path / "x.parquet")) == len(read.values)


@pytest.mark.parametrize("enum", [Colour, Stage, Mixed, Level, Speed, Rights, Bits])
def test_an_enum_is_spelled_as_a_store_spells_it(enum: type[Enum]) -> None:
    @dataclass(frozen=True)
    class Painted:
        colour: enum  # type: ignore[valid-type]

    Painted.__annotations__["colour"] = enum
    serializer = Serializer([Painted])
    for member in enum:
        (line,) = (History(recorded(Painted(member))).to_json_lines() or "").splitlines()
        assert json.loads(line)["event"] == json.loads(serializer.encode(Painted(member))[2])


def test_a_column_that_only_later_events_have_is_missing_before() -> None:
    late = History(recorded(Label(), Point(Colour.RED), Label()))
    assert late.to_arrow()["x"].to_pylist() == [None, "#f00", None]
    assert [row["x"] for row in csv.DictReader(io.StringIO(late.to_csv() or ""))] == ["", "#f00", ""]


def test_an_empty_history_has_headings_and_no_rows(tmp_path: Path) -> None:
    empty = History([])
    assert len((empty.to_csv() or "").splitlines()) == 1
    assert empty.to_json_lines() == ""
    empty.to_parquet(tmp_path / "x.parquet")
    assert parquet.read_table(tmp_path / "x.parquet").num_rows == 0
