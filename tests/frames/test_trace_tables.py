"""A trace as DataFrames: what is true at the cursor, and nothing more."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

from calamity_lab.errors import InvalidValue, OutOfRange
from calamity_lab.examples import bank
from calamity_lab.frames import aggregate_table, process_manager_table, step_table
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace
from calamity_lab.views.tables import ReactionRow, reaction_rows, state_rows, step_row, steps
from tests import holds
from tests.frames.histories import bank_day, bank_traffic, shop_week
from tests.holds import ExtendHold, HoldSeat, theatre


def steps_to_pandas(trace: Trace, cursor: int | None = None) -> pd.DataFrame:
    return step_table(steps(trace, cursor)).to_pandas()


def aggregates_to_pandas(trace: Trace, cursor: int | None = None, **types: Any) -> pd.DataFrame:
    return aggregate_table(trace, cursor, **types).to_pandas()


def process_managers_to_pandas(trace: Trace, cursor: int | None = None) -> pd.DataFrame:
    return process_manager_table(trace, cursor).to_pandas()


TABLES = [steps_to_pandas, aggregates_to_pandas, process_managers_to_pandas]


def test_each_step_tells_its_command_and_what_caused_it() -> None:
    row = [*map(step_row, steps(bank_day()))][24]
    assert (row.step, row.kind, row.command, row.stream_id) == (
        25,
        "Dispatched",
        "WithdrawFunds",
        "BankAccount-alice",
    )
    assert (row.depth, row.cause, row.cause_position, row.sender) == (
        1,
        "TransferInitiated",
        5,
        "Transfer-rent",
    )
    assert row.fact == "WithdrawFunds dispatched to BankAccount-alice"


def test_the_steps_as_a_table_have_a_row_a_step() -> None:
    trace = bank_day()
    table = steps_to_pandas(trace)
    assert table["step"].tolist() == list(range(1, trace.last + 1))
    assert str(table["cause_position"].dtype) == "Int64"
    assert table["fact"].tolist()[:2] == [
        "CreateAccount dispatched to BankAccount-alice",
        "BankAccount-alice is new: its stream has no events",
    ]


def test_the_balance_of_an_account_over_time_is_one_column() -> None:
    table = aggregates_to_pandas(bank_day())
    alice = table[table.stream_id == "BankAccount-alice"]
    assert alice["balance"].tolist() == [0, 10000, 10000, 4000]
    assert str(alice["balance"].dtype) == "int64"
    assert alice["stream_version"].tolist() == [1, 2, 3, 4]


def test_the_last_state_of_each_stream_is_the_one_in_the_stack() -> None:
    for trace in (bank_day(), shop_week(), bank_traffic(200)):
        last = {row.stream_id: row.state for row in state_rows(trace)}
        assert last == dict(trace[-1].stack.aggregates)


def test_states_of_several_aggregate_types_stand_side_by_side() -> None:
    table = aggregates_to_pandas(shop_week())
    assert {"Order.status", "Payment.status", "Shipment.status", "on_shelf"} <= set(table.columns)
    shipped = table[table.stream_id == "Order-1001"]["Order.status"].tolist()
    assert shipped == ["placed", "shipped", "completed"]


def test_each_reaction_of_a_process_manager_is_a_row() -> None:
    rows = reaction_rows(bank_day())
    assert [row.verb for row in rows if row.stream_id == "Transfer-gift"] == [
        "started",
        "continued",
        "continued",
        "stopped",
    ]
    assert rows[5] == ReactionRow(
        58, "Transfer-gift", "continued", "DepositFunds", None, "account closed", ("RefundTransfer",),
        (), (), "Transfer", bank.Transfer("gift", "bob", "carol", 2500, "funds withdrawn"),
    )  # fmt: skip


def test_the_stage_of_a_process_manager_is_missing_once_it_is_stopped() -> None:
    table = process_managers_to_pandas(bank_day())
    rent = table[table.stream_id == "Transfer-rent"]
    assert rent["stage"].tolist()[:2] == ["initiated", "funds withdrawn"]
    assert rent["stage"].isna().tolist() == [False, False, True]
    assert rent["commands"].tolist() == ["WithdrawFunds", "DepositFunds", ""]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_at_an_earlier_cursor_is_the_beginning_of_the_later_one(table: object) -> None:
    trace = bank_day()
    lengths = [len(table(trace, cursor)) for cursor in range(len(trace))]  # type: ignore[operator]
    assert lengths[0] == 0
    assert all(earlier <= later for earlier, later in pairwise(lengths))
    assert lengths[-1] == len(table(trace)) == len(table(trace, -1))  # type: ignore[operator]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_nothing_has_the_dtypes_of_a_table_of_something(table: object) -> None:
    trace = bank_day()
    empty, full = table(trace, 0), table(trace)  # type: ignore[operator]
    assert empty.dtypes.astype(str).to_dict() == full[list(empty.columns)].dtypes.astype(str).to_dict()


@pytest.mark.parametrize("table", TABLES)
def test_a_cursor_that_is_no_moment_is_rejected(table: object) -> None:
    trace = bank_day()
    with pytest.raises(OutOfRange, match="the trace has the moments 0 to 68"):
        table(trace, 69)  # type: ignore[operator]
    with pytest.raises(InvalidValue, match="give a whole number from 0 to 68"):
        table(trace, "now")  # type: ignore[operator]


def older() -> Trace:
    events = [bank.AccountCreated("a", "Ann"), bank.FundsDeposited("a", 100), bank.FundsWithdrawn("a", 30)]
    stack = Stack(event_store=InMemoryEventStore.from_streams({"BankAccount-a": events}))
    stepper = Stepper(stack)
    stepper.submit(bank.DepositFunds("a", 5))
    stepper.resume()
    return stepper.trace


def test_events_older_than_the_trace_are_folded_where_their_type_is_given() -> None:
    table = aggregates_to_pandas(older(), types={"BankAccount": bank.BankAccount})
    assert table["balance"].tolist() == [0, 100, 70, 75]
    assert table["moment"].tolist() == [0, 0, 0, 4]


def test_events_older_than_the_trace_are_left_out_where_their_type_is_not_given() -> None:
    assert aggregates_to_pandas(older())["position"].tolist() == [4]


def test_a_forked_branch_has_the_tables_of_its_own_past() -> None:
    stepper = Stepper(Stack(process_manager_types=(bank.Transfer,)))
    stepper.submit(bank.DepositFunds("a", 10), bank.DepositFunds("a", 20))
    stepper.step_over()
    there = stepper.cursor
    stepper.resume()
    stepper.goto(there)
    stepper.submit(bank.WithdrawFunds("a", 1))
    stepper.choose(1)
    stepper.resume()
    assert aggregates_to_pandas(stepper.trace)["balance"].tolist() == [10, 9, 29]
    assert isinstance(aggregates_to_pandas(stepper.trace), pd.DataFrame)


TEN_PAST = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


def held() -> Lab:
    """A lab with a held seat, and with two deadlines."""
    lab = Lab(holds, stack=theatre())
    lab.send(HoldSeat("A1"))
    lab.resume()
    return lab


def test_the_steps_of_a_command_say_which_deadline_sent_it() -> None:
    lab = held()
    lab.wait()
    lab.resume()
    table = lab.steps.to_pandas()
    assert str(table["due_at"].dtype) == "datetime64[us, UTC]"
    sent = table[table["command"] == "RemindGuest"]
    assert len(sent) == 5
    assert set(sent["deadline"]) == {"reminder"}
    assert set(sent["due_at"]) == {pd.Timestamp(TEN_PAST)}
    others = table[table["command"] != "RemindGuest"]
    assert others["due_at"].isna().all()
    assert others["deadline"].isna().all()


def test_the_reactions_say_which_deadlines_were_set_and_taken_off() -> None:
    lab = held()
    lab.send(ExtendHold("A1"))
    lab.resume()
    table = lab.process_managers.to_pandas()
    assert table["deadlines"].tolist() == ["reminder, ExpireHold", "ExpireHold"]
    assert table["taken_off"].tolist() == ["", "reminder, ExpireHold"]


def test_pending_commands_and_deadlines_are_tables_with_the_same_columns() -> None:
    lab = held()
    deadlines = lab.deadlines.to_pandas()
    assert deadlines[["number", "command_type", "stream_id", "deadline", "seat_id"]].values.tolist() == [
        [0, "RemindGuest", "Seat-A1", "reminder", "A1"],
        [1, "ExpireHold", "Seat-A1", "ExpireHold", "A1"],
    ]
    assert deadlines["due_at"].tolist() == [pd.Timestamp(TEN_PAST), pd.Timestamp(TEN_PAST.replace(minute=15))]
    assert (
        deadlines[["cause", "cause_position", "sender"]].values.tolist()
        == [["SeatHeld", 1, "Holding-A1"]] * 2
    )
    lab.wait()
    lab.send(ExtendHold("B2"))
    pending = lab.agenda.to_pandas()
    assert pending.dtypes.astype(str).to_dict() == deadlines.dtypes.astype(str).to_dict()
    assert pending["command_type"].tolist() == ["RemindGuest", "ExtendHold"]
    assert pending["due_at"].isna().tolist() == [False, True]
    assert pending["deadline"].isna().tolist() == [False, True]
    assert [row["command"] for row in lab.agenda.rows()] == [{"seat_id": "A1"}, {"seat_id": "B2"}]


def test_a_table_of_no_deadlines_has_the_dtypes_of_a_table_of_some() -> None:
    empty, full = Lab(holds).deadlines.to_pandas(), held().deadlines.to_pandas()
    assert empty.dtypes.astype(str).to_dict() == full[list(empty.columns)].dtypes.astype(str).to_dict()


def test_deadlines_leave_in_every_format_with_their_time(tmp_path: Path) -> None:
    deadlines = held().deadlines
    assert deadlines.to_arrow()["due_at"].to_pylist()[0] == TEN_PAST
    deadlines.to_parquet(tmp_path / "due.parquet")
    assert parquet.read_table(tmp_path / "due.parquet")["deadline"].to_pylist() == ["reminder", "ExpireHold"]
    first = next(csv.DictReader(io.StringIO(deadlines.to_csv() or "", newline="")))
    assert (first["due_at"], first["deadline"]) == ("2026-01-01 00:10:00+00:00", "reminder")
    line = json.loads((deadlines.to_json_lines() or "").splitlines()[0])
    assert (line["due_at"], line["deadline"]) == ("2026-01-01T00:10:00+00:00", "reminder")
    assert line["command"] == {"seat_id": "A1"}
