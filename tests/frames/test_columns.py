"""Each field of each event stands in a column, in a dtype that fits, and can be read back from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from typing import Any, NamedTuple

import attrs
import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.frames import History
from calamity_lab.kernel.schema import spelled
from tests.frames.histories import bank_day, events_of, recorded, shop_week

KNOWN = [
    "position",
    "stream_id",
    "stream_version",
    "event_type",
    "event_id",
    "correlation_id",
    "causation_id",
    "recorded_at",
    "command",
    "process_manager",
]


LOCAL = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Colour(Enum):
    RED = 1
    GREEN = (2, 3)


class Rank(IntEnum):
    LOW = 1
    HIGH = 2


class Rights(Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Priced:
    amount: Any = None


@dataclass(frozen=True)
class Weighed:
    amount: Any = None


@dataclass(frozen=True)
class Painted:
    colour: Any = None


@dataclass(frozen=True)
class Scanned:
    position: int
    command: str = "mine"


@dataclass(frozen=True)
class Measured:
    length: float
    width: float | None = None


@dataclass(frozen=True)
class Empty:
    pass


def frame(*events: Any) -> pd.DataFrame:
    return History(recorded(*events)).to_pandas()


def amounts(*values: Any) -> pd.Series:
    return frame(*map(Priced, values))["amount"]


def test_what_is_known_of_an_event_stands_first() -> None:
    table = History(events_of(bank_day())).to_pandas()
    assert list(table.columns[:10]) == KNOWN
    row = table.iloc[5]
    assert (row.position, row.stream_id, row.stream_version) == (6, "BankAccount-alice", 4)
    assert (row.event_type, row.command, row.process_manager) == (
        "FundsWithdrawn",
        "WithdrawFunds",
        "Transfer-rent",
    )
    assert row.recorded_at == pd.Timestamp("2026-01-01 00:00:05", tz="UTC")


def test_a_history_without_events_has_its_columns_and_their_dtypes_all_the_same() -> None:
    empty, full = History([]).to_pandas(), History(events_of(bank_day())).to_pandas()
    assert list(empty.columns) == KNOWN
    assert len(empty) == 0
    assert empty.dtypes.astype(str).to_dict() == full[KNOWN].dtypes.astype(str).to_dict()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((1, 2), "int64"),
        ((1, None), "Int64"),
        ((-(2**63), 2**63 - 1), "int64"),
        ((1, 2**63), "object"),
        ((2**63, None), "object"),
        ((1.5, 2.0), "float64"),
        ((1.5, None), "float64"),
        ((1.5, 2), "float64"),
        ((1.5, 2**53 + 1), "object"),
        ((True, False), "boolean"),
        ((True, None), "boolean"),
        ((True, 1), "object"),
        (("a", "b"), "str"),
        (("a", None), "str"),
        (("a", 1), "object"),
        (("\ud800", "a"), "object"),
        ((Decimal("1.10"), Decimal(2)), "object"),
        ((LOCAL, None), "datetime64[us]"),
        ((datetime(2026, 1, 1, tzinfo=UTC), None), "datetime64[us, UTC]"),
        ((LOCAL.replace(tzinfo=UTC), LOCAL), "object"),
        ((LOCAL.replace(year=9999), LOCAL.replace(year=1)), "datetime64[us]"),
        ((timedelta(seconds=1), None), "timedelta64[us]"),
        ((timedelta.max, None), "object"),
        ((date(2026, 1, 1), None), "object"),
        ((Colour.RED, None), "category"),
        ((Rank.LOW, Rank.HIGH), "category"),
        ((Rights.READ | Rights.WRITE, Rights.READ), "object"),
        (((1, 2), (3, 4)), "object"),
        (([1], [2, 3]), "object"),
        (({"a": 1}, None), "object"),
        ((None, None), "object"),
        ((b"x", b"y"), "object"),
        ((Priced(1), Priced(2)), "object"),
    ],
)
def test_a_column_has_the_dtype_that_fits_its_values_and_gives_them_back(
    values: tuple[Any, ...], dtype: str
) -> None:
    column = amounts(*values)
    assert str(column.dtype) == dtype
    assert [read(column, place, value) for place, value in enumerate(values)] == list(values)


def read(column: pd.Series, place: int, original: Any) -> Any:
    """What stands in a column, as the type of the original."""
    found = column.iloc[place]
    if original is None:
        return None if column.dtype == object and found is None else missing(found)
    if isinstance(original, datetime) and column.dtype != object:
        return found.to_pydatetime()
    if isinstance(original, timedelta) and column.dtype != object:
        return found.to_pytimedelta()
    if isinstance(original, Enum) and column.dtype != object:
        return next(member for member in type(original) if spelled(member) == found)
    return found if column.dtype == object else type(original)(found)


def missing(found: Any) -> Any:
    return None if pd.isna(found) else found


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_texts_are_the_same_wherever_pandas_keeps_them(storage: str) -> None:
    with pd.option_context("mode.string_storage", storage):
        column = amounts("a", None, "ä")
        assert column.dtype == "str"
        assert column.array.dtype.storage == storage
    assert column.isna().tolist() == [False, True, False]
    assert column.tolist()[2] == "ä"


def test_a_moment_in_any_zone_is_the_same_moment_in_utc() -> None:
    moment = datetime(2026, 7, 1, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    column = amounts(moment, datetime(2026, 7, 1, tzinfo=UTC))
    assert str(column.dtype) == "datetime64[us, UTC]"
    assert column.iloc[0] == moment


@pytest.mark.parametrize(("member", "words"), [(Colour.GREEN, ["RED", "GREEN"]), (Rank.HIGH, [1, 2])])
def test_the_members_of_an_enum_are_categories_in_the_order_in_which_it_has_them(
    member: Enum, words: list[Any]
) -> None:
    column = frame(Painted(member))["colour"]
    assert list(column.cat.categories) == words
    assert list(column) == words[1:]


def test_ints_in_a_field_annotated_as_float_are_floats() -> None:
    table = frame(Measured(5), Measured(6, 7))
    assert str(table["length"].dtype) == "float64"
    assert str(table["width"].dtype) == "float64"
    assert list(table["length"]) == [5.0, 6.0]


def test_nan_in_a_float_field_stays_nan() -> None:
    column = amounts(float("nan"), 1.5, float("inf"))
    assert column.isna().tolist() == [True, False, False]
    assert column.iloc[2] == float("inf")


def test_fields_of_one_name_and_kind_share_a_column() -> None:
    table = frame(Priced(1), Weighed(2), Empty())
    assert table["amount"].tolist() == [1, 2, pd.NA]
    assert str(table["amount"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, 1.5),
        (1, True),
        (Decimal(1), 1),
        (Decimal(1), date(2026, 1, 1)),
        ((1,), [1]),
        (2**70, "x"),
    ],
)
def test_fields_of_one_name_and_two_kinds_get_a_column_each(one: Any, other: Any) -> None:
    table = frame(Priced(one), Weighed(other), Priced(None))
    assert "amount" not in table.columns
    assert table["Priced.amount"].iloc[0] == one
    assert type(one)(table["Priced.amount"].iloc[0]) == one
    assert table["Weighed.amount"].iloc[1] == other
    assert table["Weighed.amount"].isna().tolist() == [True, False, True]


def test_a_field_that_is_always_none_in_one_type_does_not_split_the_column() -> None:
    table = frame(Priced(None), Weighed("x"))
    assert table["amount"].tolist()[1] == "x"
    assert "Priced.amount" not in table.columns


def test_a_field_named_like_a_known_column_leaves_that_column_alone() -> None:
    table = frame(Priced(1), Scanned(position=99))
    assert table["position"].tolist() == [1, 2]
    assert table["command"].tolist() == ["DoThing", "DoThing"]
    assert table["Scanned.position"].tolist() == [pd.NA, 99]
    assert table["Scanned.command"].tolist()[1] == "mine"


def test_metadata_that_came_with_the_command_has_columns_of_its_own() -> None:
    table = History(recorded(Priced(1), user="ann", attempt=2)).to_pandas()
    assert table["metadata.user"].tolist() == ["ann"]
    assert table["metadata.attempt"].tolist() == [2]


def test_messages_of_any_dress_are_flattened() -> None:
    @attrs.frozen
    class Dressed:
        amount: int

    class Packed(msgspec.Struct, frozen=True):
        amount: int

    class Named(NamedTuple):
        amount: int

    class Plain:
        def __init__(self, amount: int) -> None:
            self.amount = amount

    table = frame(Dressed(1), Packed(2), Named(3), Plain(4), {"amount": 5})
    assert table["amount"].tolist() == [1, 2, 3, 4, 5]


def test_a_slot_that_was_never_filled_is_missing() -> None:
    @dataclass
    class Slotted:
        __slots__ = ("amount",)
        amount: int

    bare = object.__new__(Slotted)
    assert frame(Slotted(1), bare)["amount"].tolist() == [1, pd.NA]


def test_two_classes_of_one_name_share_the_columns_of_their_type() -> None:
    def defined(annotation: type) -> type:
        return dataclass(type("Again", (), {"__annotations__": {"amount": annotation}}))

    table = frame(defined(int)(1), defined(str)("one"))
    assert table["amount"].tolist() == [1, "one"]


def test_nested_values_stay_whole() -> None:
    table = History(events_of(shop_week())).to_pandas()
    placed = [recorded.event for recorded in events_of(shop_week()) if recorded.event_type == "OrderPlaced"]
    rows = table[table.event_type == "OrderPlaced"]
    assert rows["lines"].tolist() == [event.lines for event in placed]
    assert rows["ship_to"].tolist() == [event.ship_to for event in placed]
    assert rows["total"].tolist() == [event.total for event in placed]


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.timedeltas(),
    st.sampled_from(Colour),
    st.sampled_from(Rank),
    st.lists(st.integers(), max_size=3),
    st.tuples(st.integers(), st.text(max_size=3)),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
kinds = st.sampled_from([Priced, Weighed, Painted])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(kinds, values), max_size=12))
def test_a_table_loses_nothing_of_any_mix_of_events(drawn: list[tuple[Any, Any]]) -> None:
    events = [cls(value) for cls, value in drawn]
    table = frame(*events)
    for place, (cls, value) in enumerate(drawn):
        name = "colour" if cls is Painted else "amount"
        column = table[name if name in table.columns else f"{cls.__name__}.{name}"]
        found = read(column, place, value)
        assert found == value
        assert type(found) is type(value) or (isinstance(value, int) and isinstance(found, (int, float)))
    assert table["position"].tolist() == list(range(1, len(events) + 1))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(kinds, values), max_size=8))
def test_an_export_never_fails_on_any_mix_of_events(drawn: list[tuple[Any, Any]]) -> None:
    history = History(recorded(*(cls(value) for cls, value in drawn)))
    assert history.to_csv().count("\n") >= len(drawn) + 1
    assert history.to_json_lines().count("\n") == len(drawn)
    assert history.to_arrow().num_rows == len(drawn)


@dataclass(frozen=True)
class Unhashable:
    amounts: list[int] = field(default_factory=list)


def test_lists_of_equal_length_are_not_taken_for_a_table() -> None:
    assert frame(Unhashable([1, 2]), Unhashable([3, 4]))["amounts"].tolist() == [[1, 2], [3, 4]]
