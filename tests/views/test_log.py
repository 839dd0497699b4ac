"""The log lists what happened in order, wherever the window begins and whatever is listed."""

from __future__ import annotations

from itertools import islice
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab import ConcurrentWriter, Lab, seeded_ids, ticking_clock
from calamity_lab.examples import bank
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import Charts
from calamity_lab.views.log import LogRow, Only, log_rows
from tests.moments import after
from tests.views.traces import story_of, trace_of

EVERY = 10**6


def names(trace: Trace, cursor: int, only: Only = "all") -> list[str]:
    return [row.name for row in log_rows(trace, cursor, only=only, limit=EVERY).rows]


def test_a_cascade_is_indented_by_what_caused_it() -> None:
    trace = story_of(bank)
    rows = log_rows(trace, trace.last, limit=EVERY).rows
    first = next(place for place, row in enumerate(rows) if row.name == "RequestTransfer")
    found = [(row.depth, row.name, row.outcome, row.cause) for row in rows[first : first + 6]]
    assert found == [
        (0, "RequestTransfer", "accepted, 1 event", "submitted"),
        (1, "TransferInitiated", "", "RequestTransfer"),
        (1, "started by TransferInitiated", "sends WithdrawFunds", "TransferInitiated #5"),
        (1, "WithdrawFunds", "accepted, 1 event", "TransferInitiated #5 by Transfer-rent"),
        (2, "FundsWithdrawn", "", "WithdrawFunds"),
        (2, "continued by FundsWithdrawn", "sends DepositFunds", "FundsWithdrawn #6"),
    ]


def test_each_list_has_its_rows() -> None:
    trace = story_of(bank)
    assert names(trace, 0, "commands") == [
        step.pending.command_type for step in (trace[m].step for m in trace.index.dispatched) if step
    ]
    assert names(trace, 0, "events") == [event.event_type for event in trace.index.events]
    rejected = log_rows(trace, trace.last, only="rejections").rows
    assert {row.kind for row in rejected} == {"rejected"}
    assert rejected[0].outcome == "rejected: insufficient funds (balance 4000)"
    assert len(names(trace, 0, "steps")) == trace.last


def test_an_event_is_followed_by_what_it_changed_in_projections() -> None:
    trace = trace_of(bank.CreateAccount("a", "Ada"), projections=(BankTotals, Turnover))
    rows = log_rows(trace, trace.last).rows
    assert [(row.kind, row.name) for row in rows[:3]] == [
        ("command", "CreateAccount"),
        ("event", "AccountCreated"),
        ("projection", "changed by AccountCreated"),
    ]
    assert rows[2].detail


def test_what_is_past_is_told_by_the_cursor_and_so_is_what_became_of_a_command() -> None:
    trace = story_of(bank)
    cursor = after(trace, "Dispatched", 7)
    log = log_rows(trace, cursor, limit=EVERY)
    assert [row.is_past for row in log.rows] == [place < log.now for place in range(log.total)]
    command = log.rows[log.now - 1]
    assert (command.name, command.is_decided) == ("DepositFunds", False)
    decided = log_rows(trace, after(trace, "Executed", 7), limit=EVERY).rows[log.now - 1]
    assert decided.is_decided


def test_a_command_in_progress_at_the_end_is_listed_before_it_is_decided() -> None:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "Ada"))
    lab.step_in()
    (row,) = log_rows(lab.trace, lab.cursor).rows
    assert (row.name, row.outcome, row.is_past) == ("CreateAccount", "", True)
    assert log_rows(lab.trace, 0).now == 0


def test_a_query_finds_rows_of_every_kind_and_goes_on_with_the_run_and_with_a_branch() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*bank.story())
    lab.step()
    assert log_rows(lab.trace, lab.cursor, query="ALICE").total == 2
    lab.resume()
    kinds = {row.kind for row in log_rows(lab.trace, lab.cursor, query="rent", limit=EVERY).rows}
    assert kinds == {"command", "event", "started", "continued", "stopped"}
    assert log_rows(lab.trace, lab.cursor, query="insufficient").total == 1
    lab.goto(after(lab, "Completed"))
    lab.send(bank.DepositFunds("alice", 5))
    lab.choose(lab.agenda.pending[-1].command_id)
    lab.step()
    assert log_rows(lab.trace, lab.cursor, query="alice", limit=EVERY).total == 4
    assert log_rows(lab.trace, lab.cursor, query="nobody") == log_rows(
        lab.trace, lab.cursor, query="nobody", first=0
    )


@pytest.mark.parametrize("only", get_args(Only))
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_window_is_a_part_of_the_whole_list(only: Only, data: st.DataObject) -> None:
    trace = _traffic()
    cursor = data.draw(st.integers(0, trace.last))
    whole = log_rows(trace, cursor, chart=_CHARTS.of(trace), only=only, first=0, limit=EVERY)
    first = data.draw(st.integers(0, whole.total - 1))
    limit = data.draw(st.integers(1, 40))
    window = log_rows(trace, cursor, chart=_CHARTS.of(trace), only=only, first=first, limit=limit)
    assert list(window.rows) == list(islice(whole.rows, first, first + limit))
    assert window.now == whole.now == sum(row.is_past for row in whole.rows)
    assert [row.moment for row in whole.rows] == sorted(row.moment for row in whole.rows)
    followed = log_rows(trace, cursor, chart=_CHARTS.of(trace), only=only, limit=limit)
    assert followed.first <= followed.now <= followed.first + limit


_CHARTS = Charts()
_TRACES: list[Trace] = []


def _traffic() -> Trace:
    if not _TRACES:
        commands = bank.random_commands(40, seed=3, accounts=5)
        _TRACES.append(trace_of(*commands, projections=(BankTotals, Turnover)))
    return _TRACES[0]


def test_a_history_that_was_there_before_comes_first() -> None:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "Ada"), bank.DepositFunds("a", 5))
    lab.resume()
    began = Lab(bank, stack=lab.stack)
    began.send(bank.DepositFunds("a", 6))
    began.resume()
    rows: tuple[LogRow, ...] = log_rows(began.trace, 0).rows
    assert [(row.name, row.moment, row.is_past) for row in rows] == [
        ("AccountCreated", 0, True),
        ("FundsDeposited", 0, True),
        ("DepositFunds", 1, False),
        ("FundsDeposited", rows[3].moment, False),
    ]


def test_a_fault_is_listed_before_what_it_records() -> None:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "Ada"), bank.DepositFunds("a", 5))
    lab.step()
    lab.inject(ConcurrentWriter("BankAccount-a", bank.FundsDeposited("a", 1)))
    lab.resume()
    rows = log_rows(lab.trace, lab.cursor).rows
    place = next(place for place, row in enumerate(rows) if row.kind == "injected")
    assert rows[place].name == "ConcurrentWriter"
    assert rows[place].outcome.startswith("Injected: ")
    assert (rows[place + 1].name, rows[place + 1].moment) == ("FundsDeposited", rows[place].moment)
    assert log_rows(lab.trace, lab.cursor, query="injected").total == 1


def test_the_log_prints_itself_in_a_script() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    assert repr(lab.log) == "Nothing has happened yet"
    lab.send(*bank.story())
    lab.resume()
    lab.goto(after(lab, "RequestTransfer"))
    lines = repr(lab.log).splitlines()
    assert "    1  CreateAccount · BankAccount-alice" in lines[0]
    (now,) = [line for line in lines if line.startswith(">")]
    assert "RequestTransfer" in now
    assert lines[-1].startswith("-")
    assert len(repr(lab.table).splitlines()) == len(lab.trace.index.events)
