"""A history is a frozen sequence of recorded events that shows itself and can be taken away."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from calamity_lab.errors import CalamityError, InvalidValue, MissingExtra, OutOfRange, UnknownArgument
from calamity_lab.frames import History
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from tests.frames.histories import bank_day, bank_traffic, events_of, recorded, shop_week


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Noted:
    value: Any = None


class Shout(str):
    pass


@pytest.fixture
def day() -> History:
    return History(events_of(bank_day()))


def test_a_history_is_a_sequence_of_its_events(day: History) -> None:
    events = events_of(bank_day())
    assert len(day) == 13
    assert list(day) == list(events)
    assert day[0] == events[0]
    assert day[-1] == events[-1]
    assert events[3] in day


def test_a_slice_of_a_history_is_a_history(day: History) -> None:
    assert day[2:5] == History(list(day)[2:5])
    assert repr(day[2:5]) == "History(3 events, positions 3 to 5)"


def test_histories_of_the_same_events_are_equal(day: History) -> None:
    assert day == History(iter(list(day)))
    assert hash(day) == hash(History(list(day)))
    assert day != day[1:]


def test_an_event_store_is_a_history_too() -> None:
    store = InMemoryEventStore().append("Thing-1", [Noted(1), Noted(2)])
    assert list(History(store)) == list(store.stream(ALL))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "History(no events)"),
        (1, "History(1 event, position 1)"),
        (13, "History(13 events, positions 1 to 13)"),
    ],
)
def test_a_history_tells_how_many_events_it_has(day: History, count: int, text: str) -> None:
    assert repr(day[:count]) == text


def test_a_cell_shows_the_first_and_the_last_rows_and_how_many_are_left_out(day: History) -> None:
    shown = day._repr_html_()
    assert "13 events" in shown
    assert "3 events more" in shown
    assert shown.count("<tr>") == 12
    assert "BankAccount-carol" in shown


def test_a_cell_shows_every_row_of_a_short_history(day: History) -> None:
    shown = day[:10]._repr_html_()
    assert "more" not in shown
    assert shown.count("<tr>") == 11


def test_a_cell_shows_markup_as_text() -> None:
    evil = "<script>alert('x')</script>"
    event = RecordedEvent(
        Noted(evil), evil, "e", evil, 1, 1, "c", "k", recorded(Noted())[0].recorded_at, {"command": evil}
    )
    shown = History([event])._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize("given", ["events", 7, None, [Noted(1)], [recorded(Noted(1))[0], "x"]])
def test_what_are_no_recorded_events_is_rejected_and_the_error_says_what_to_write(given: Any) -> None:
    with pytest.raises(InvalidValue, match=r"History\(s.*stream\(ALL\)"):
        History(given)


@pytest.mark.parametrize("index", [13, -14])
def test_an_event_that_is_not_there_is_out_of_range(day: History, index: int) -> None:
    with pytest.raises(OutOfRange, match=r"there is no event -?1[34]; the indices go from 0 to 12"):
        day[index]


@pytest.mark.parametrize(
    "call",
    [
        lambda day: day.to_pandas(index="position"),
        lambda day: day.to_arrow(schema=None),
        lambda day: day.to_parquet("x", engine="x"),
        lambda day: day.to_csv(sep=";"),
        lambda day: day.to_json_lines(indent=2),
        lambda day: day.to_networkx(weighted=True),
    ],
)
def test_an_unknown_argument_is_rejected(day: History, call: Callable[[History], object]) -> None:
    with pytest.raises(UnknownArgument, match="got an unknown argument"):
        call(day)


@pytest.mark.parametrize("export", ["to_csv", "to_json_lines", "to_parquet"])
def test_a_path_that_cannot_be_written_is_said(day: History, export: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=f"{export}.*could not write.*Give a file in a folder that exists"):
        getattr(day, export)(tmp_path / "nowhere" / "x")
    with pytest.raises(InvalidValue, match=f"{export}.*could not write"):
        getattr(day, export)(tmp_path)


@pytest.mark.parametrize("export", ["to_csv", "to_json_lines", "to_parquet"])
def test_what_is_no_path_is_rejected(day: History, export: str) -> None:
    with pytest.raises(InvalidValue, match="give the path of a file"):
        getattr(day, export)(7)


@pytest.mark.parametrize("export", ["to_arrow", "to_parquet"])
def test_without_pyarrow_the_command_that_installs_it_is_said(
    day: History, export: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments = ["x.parquet"] if export == "to_parquet" else []
    with pytest.raises(MissingExtra, match=r"pip install 'calamity-lab\[arrow\]'"):
        getattr(day, export)(*arguments)
    assert not Path("x.parquet").exists()


def test_csv_has_a_row_for_each_event_and_nested_values_as_json(tmp_path: Path) -> None:
    history = History(events_of(shop_week()))
    text = history.to_csv()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(history)
    placed = next(row for row in rows if row["event_type"] == "OrderPlaced")
    assert json.loads(placed["lines"])[0] == {"sku": "mug", "quantity": 2, "unit_price": "8.50"}
    assert (placed["total"], placed["ship_on"], placed["speed"]) == ("60.90", "2026-03-04", "standard")
    assert history.to_csv(tmp_path / "week.csv") is None
    assert (tmp_path / "week.csv").read_text(encoding="utf-8") == text


def test_json_lines_have_an_object_for_each_event(day: History, tmp_path: Path) -> None:
    text = day.to_json_lines()
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[5] == {
        "position": 6,
        "stream_id": "BankAccount-alice",
        "stream_version": 4,
        "event_type": "FundsWithdrawn",
        "event_id": day[5].event_id,
        "correlation_id": day[5].correlation_id,
        "causation_id": day[5].causation_id,
        "recorded_at": "2026-01-01T00:00:05+00:00",
        "metadata": {"command": "WithdrawFunds", "process_manager": "Transfer-rent"},
        "event": {"account_id": "alice", "amount": 6000, "transfer_id": "rent"},
    }
    assert day.to_json_lines(str(tmp_path / "day.jsonl")) is None
    assert (tmp_path / "day.jsonl").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("value", "json_value"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 3), "1/3"),
        (1j, "1j"),
        ("line\nbreak", "line\nbreak"),
        (Shout("hey"), "hey"),
        (b"\x00", "AA=="),
        (date(2026, 1, 1), "2026-01-01"),
        (timedelta(seconds=90), "PT90S"),
        (Colour.RED, 1),
        ({2, 1}, [1, 2]),
        ((1, (2,)), [1, [2]]),
        ({2: "a", Colour.RED: "b"}, {"2": "a", "1": "b"}),
        (Noted(Noted(Decimal(1))), {"value": {"value": "1"}}),
    ],
)
def test_every_value_has_a_form_in_json(value: Any, json_value: Any) -> None:
    (line,) = History(recorded(Noted(value))).to_json_lines().splitlines()
    assert json.loads(line)["event"] == {"value": json_value}


def test_text_that_is_no_unicode_can_be_written_all_the_same(tmp_path: Path) -> None:
    history = History(recorded(Noted("\ud800")))
    history.to_json_lines(tmp_path / "x.jsonl")
    assert json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8"))["event"] == {"value": "\ud800"}
    history.to_csv(tmp_path / "x.csv")
    history.to_parquet(tmp_path / "x.parquet")


def test_arrow_has_types_of_its_own_for_what_pandas_has_none() -> None:
    schema = History(events_of(shop_week())).to_arrow().schema
    assert schema.field("ship_on").type == pa.date32()
    assert pa.types.is_decimal(schema.field("total").type)
    assert schema.field("lines").type == pa.string()
    assert pa.types.is_dictionary(schema.field("event_type").type)


def test_a_dict_in_arrow_keeps_its_own_keys_only() -> None:
    table = History(recorded(Noted({"a": 1}), Noted({"b": 2}))).to_arrow()
    assert table["value"].to_pylist() == ['{"a": 1}', '{"b": 2}']


def test_a_parquet_file_reads_back_as_the_same_table(tmp_path: Path) -> None:
    history = History(events_of(bank_traffic(300)))
    history.to_parquet(tmp_path / "traffic.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "traffic.parquet"), history.to_pandas())


@pytest.mark.parametrize("export", ["to_csv", "to_json_lines", "to_parquet"])
def test_a_history_without_events_can_be_exported(export: str, tmp_path: Path) -> None:
    getattr(History([]), export)(tmp_path / "empty")
    assert (tmp_path / "empty").exists()


def test_an_export_leaves_the_history_and_its_tables_as_they_are() -> None:
    history = History(events_of(shop_week()))
    before = history.to_pandas()
    history.to_csv()
    history.to_arrow()
    pd.testing.assert_frame_equal(history.to_pandas(), before)
    assert history == History(events_of(shop_week()))


def test_every_error_of_a_history_is_one_of_the_lab(day: History) -> None:
    with pytest.raises(CalamityError):
        day.to_csv(sep=";")
