"""A trace as DataFrames: what is true at the cursor, and nothing more."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest

from calamity_lab.errors import InvalidValue, OutOfRange
from calamity_lab.examples import bank
from calamity_lab.frames import aggregates_to_pandas, process_managers_to_pandas, steps_to_pandas
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace
from calamity_lab.views.tables import ReactionRow, reaction_rows, state_rows, step_rows
from tests.frames.histories import bank_day, bank_traffic, shop_week

TABLES = [steps_to_pandas, aggregates_to_pandas, process_managers_to_pandas]


def test_each_step_tells_its_command_and_what_caused_it() -> None:
    row = step_rows(bank_day())[24]
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
        "Transfer", bank.Transfer("gift", "bob", "carol", 2500, "funds withdrawn"),
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
