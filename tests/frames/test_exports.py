"""Every table of a lab leaves in every format: the history, the states, and the steps."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from calamity_lab.errors import InvalidValue, UnknownArgument
from calamity_lab.examples import fulfilment
from calamity_lab.examples.fulfilment import story
from calamity_lab.frames import History
from calamity_lab.frames.files import Exports
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.kernel.messages import command
from calamity_lab.lab import Lab
from tests.frames.histories import recorded

TABLES = ("history", "aggregates", "process_managers", "steps")


@pytest.fixture(scope="module")
def shop() -> Lab:
    lab = Lab(fulfilment, clock=ticking_clock())
    lab.send(*story())
    lab.resume()
    return lab


@pytest.fixture(params=TABLES)
def table(shop: Lab, request: pytest.FixtureRequest) -> Exports:
    found = getattr(shop, request.param)
    assert isinstance(found, Exports)
    return found


def test_a_table_is_the_same_in_every_format(table: Exports, tmp_path: Path) -> None:
    columns, count = list(table.to_pandas().columns), len(table.to_pandas())
    assert count > 10
    arrow = table.to_arrow()
    assert (arrow.column_names, arrow.num_rows) == (columns, count)
    table.to_parquet(tmp_path / "table.parquet")
    assert parquet.read_table(tmp_path / "table.parquet").to_pylist() == arrow.to_pylist()
    heading, *cells = csv.reader(io.StringIO(table.to_csv() or "", newline=""))
    assert (heading, len(cells)) == (columns, count)
    lines = (table.to_json_lines() or "").splitlines()
    assert len(lines) == count
    assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize("name", ["aggregates", "process_managers", "steps"])
@pytest.mark.parametrize(
    "call",
    [
        lambda table: table.to_csv(sep=";"),
        lambda table: table.to_json_lines(indent=2),
        lambda table: table.to_arrow(schema=None),
        lambda table: table.to_parquet("x", engine="x"),
    ],
)
def test_an_unknown_argument_is_rejected(shop: Lab, name: str, call: Callable[[Any], object]) -> None:
    with pytest.raises(UnknownArgument, match="got an unknown argument"):
        call(getattr(shop, name))


def test_json_lines_have_the_fields_of_a_state(shop: Lab) -> None:
    line = json.loads((shop.aggregates.to_json_lines() or "").splitlines()[-1])
    state = shop.aggregates[line["stream_id"]]
    assert list(line["state"]) == list(state.__dataclass_fields__)
    assert line["recorded_at"] == shop.history[-1].recorded_at.isoformat()


def test_json_lines_have_the_commands_of_a_reaction_as_a_list(shop: Lab) -> None:
    lines = [json.loads(line) for line in (shop.process_managers.to_json_lines() or "").splitlines()]
    assert lines[-1]["state"] is None  # it is stopped
    frame = shop.process_managers.to_pandas()
    assert [", ".join(line["commands"]) for line in lines] == frame["commands"].tolist()


def test_some_steps_leave_without_the_others(shop: Lab) -> None:
    frame = shop.steps[3:7].to_pandas()
    assert frame["step"].tolist() == [4, 5, 6, 7]
    assert len((shop.steps[3:7].to_json_lines() or "").splitlines()) == 4


@command(to="Counter", by="id")
@dataclass(frozen=True)
class Count:
    id: str


@dataclass(frozen=True)
class Counted:
    id: str


class Counter(int):
    """An aggregate that is a number, without fields."""

    __slots__ = ()

    @classmethod
    def new(cls, aggregate_id: str) -> Counter:
        return cls(0)

    def execute(self, given: Count) -> Counted:
        return Counted(given.id)

    def apply(self, event: Counted) -> Counter:
        return Counter(self + 1)


def test_a_state_without_fields_is_a_column_of_its_own() -> None:
    lab = Lab(aggregates=[Counter], commands=[Count])
    lab.send(Count("a"), Count("a"))
    lab.resume()
    assert lab.aggregates.to_pandas()["state"].tolist() == [1, 2]
    lines = [json.loads(line) for line in (lab.aggregates.to_json_lines() or "").splitlines()]
    assert [line["state"] for line in lines] == [1, 2]


@dataclass(frozen=True)
class Noted:
    value: Any = None


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1"]


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("among", [["a text"], [5]], ids=["texts", "objects"])
def test_a_text_that_a_spreadsheet_would_run_is_escaped_where_that_is_asked_for(
    formula: str, among: list[Any]
) -> None:
    history = History(recorded(Noted(formula), *map(Noted, among)))
    assert cells_of(history.to_csv()) == [formula, str(among[0])]
    assert cells_of(history.to_csv(escape_formulas=True)) == [f"'{formula}", str(among[0])]


@pytest.mark.parametrize("value", [-1, -1.5, Decimal("-1.5"), True, "a=b", "", "'=1"])
def test_what_a_spreadsheet_does_not_run_stays_as_it_is(value: Any) -> None:
    history = History(recorded(Noted(value), Noted(None)))
    assert history.to_csv(escape_formulas=True) == history.to_csv()


def test_formulas_in_labels_and_stream_ids_are_escaped_too() -> None:
    (event,) = recorded(Noted(1))
    event = type(event)(
        event.event, "=type", "=id", "=stream", 1, 1, "=c", "=k", event.recorded_at, {"command": "=command"}
    )
    (row,) = csv.DictReader(io.StringIO(History([event]).to_csv(escape_formulas=True) or ""))
    assert {name for name, cell in row.items() if cell.startswith("=")} == set()
    assert row["event_type"] == "'=type"


def test_escape_formulas_is_true_or_false() -> None:
    with pytest.raises(InvalidValue, match=r"to_csv\(escape_formulas='yes'\): give True or False"):
        History([]).to_csv(escape_formulas="yes")  # type: ignore[arg-type]


def cells_of(text: str | None) -> list[str]:
    _, *rows = csv.reader(io.StringIO(text or "", newline=""))
    return [row[-1] for row in rows]
