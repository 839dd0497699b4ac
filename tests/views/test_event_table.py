"""The table of events shows the recorded events around the cursor, or those that a query finds."""

from __future__ import annotations

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds, RenameAccount
from calamity_lab.views.events import EventRow, EventTable, event_rows
from tests.moments import after
from tests.views.traces import stepper_of, story_of, trace_of


def test_a_row_tells_where_an_event_stands_and_what_caused_it() -> None:
    trace = story_of(bank)
    table = event_rows(trace, after(trace, "WithdrawFunds"), first=5, limit=1)
    assert table == EventTable(
        total=13,
        now=5,
        first=5,
        rows=(
            EventRow(
                position=6,
                stream_id="BankAccount-alice",
                version=4,
                type="FundsWithdrawn",
                fields="account_id='alice', amount=6000, transfer_id='rent'",
                command="WithdrawFunds",
                correlation=trace.index.events[4].correlation_id,
                recorded_at="2026-01-01 00:00:05+00:00",
                moment=after(trace, "FundsWithdrawn"),
                is_past=False,
            ),
        ),
    )


def test_without_a_place_the_window_follows_the_cursor() -> None:
    trace = trace_of(*[DepositFunds("a", 1)] * 200)
    for cursor in range(0, len(trace), 10):
        table = event_rows(trace, cursor, limit=20)
        assert table.first <= table.now <= table.first + 20
        assert [row.position for row in table.rows] == [
            *range(table.first + 1, table.first + len(table.rows) + 1)
        ]


def test_a_query_finds_events_by_whatever_the_row_shows() -> None:
    trace = story_of(bank)
    found = {
        query: [row.position for row in event_rows(trace, trace.last, query=query).rows]
        for query in ("RENT", "fundswithdrawn", "renameaccount", "bankaccount-carol", "25")
    }
    assert found == {
        "RENT": [5, 6, 7],
        "fundswithdrawn": [6, 11, 13],
        "renameaccount": [8],
        "bankaccount-carol": [3, 8, 9],
        "25": [10, 11, 12],
    }


def test_with_a_query_the_counts_are_those_of_what_it_finds() -> None:
    trace = story_of(bank)
    table = event_rows(trace, after(trace, "FundsWithdrawn"), query="fundswithdrawn", limit=2)
    assert (table.total, table.now, [row.is_past for row in table.rows]) == (3, 1, [True, False])


def test_a_query_that_finds_nothing_leaves_an_empty_table() -> None:
    trace = story_of(bank)
    assert event_rows(trace, after(trace, "FundsWithdrawn"), query="nothing like it") == EventTable(
        0, 0, 0, ()
    )


def test_a_search_is_kept_up_as_the_trace_grows_and_forks() -> None:
    stepper = stepper_of(DepositFunds("a", 7), DepositFunds("a", 8))
    stepper.step_over()
    first = stepper.cursor
    assert event_rows(stepper.trace, first, query="amount=").total == 1
    stepper.step_over()
    assert event_rows(stepper.trace, first, query="amount=").total == 2
    stepper.goto(first)
    stepper.submit(RenameAccount("a", "amount=9"))
    stepper.resume()
    assert event_rows(stepper.trace, stepper.cursor, query="amount=").total == 3
    stepper.switch("main")
    assert event_rows(stepper.trace, stepper.cursor, query="amount=").total == 2


def test_events_from_before_the_trace_are_past_from_the_start() -> None:
    history = story_of(fulfilment)
    store = history[history.last].stack.event_store
    trace = trace_of(event_store=store)
    table = event_rows(trace, 0, first=0, limit=1)
    assert (table.total, table.now) == (len(history.index.events),) * 2
    assert (table.rows[0].moment, table.rows[0].is_past) == (0, True)


def test_markup_in_an_event_is_text() -> None:
    trace = trace_of(DepositFunds("<b>a</b>", 1))
    (row,) = event_rows(trace, trace.last).rows
    assert row.stream_id == "BankAccount-<b>a</b>"
    assert row.fields == "account_id='<b>a</b>', amount=1, transfer_id=–"
