"""The state shows every aggregate and instance, and what the last command made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import BankAccount, DepositFunds, RenameAccount, WithdrawFunds
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import command
from calamity_lab.trace.trace import Trace
from calamity_lab.views.state import FieldRow, KeptRows, StateRow, StateView, state
from tests.moments import after, before
from tests.views.traces import stepper_of, story_of, trace_of


def field(name: str, value: str, before: str | None = None, *, changed: bool = False) -> FieldRow:
    return FieldRow(name, value, before, changed, path=name)


def ids(view: StateView) -> list[str]:
    return [row.stream_id for row in view.rows]


def test_before_anything_happened_there_is_nothing_to_show() -> None:
    assert state(story_of(bank), 0) == StateView(query="", total=0, matching=0, first=0, rows=())


def test_a_changed_field_comes_first_with_what_it_was_before_the_command() -> None:
    trace = story_of(bank)
    assert state(trace, trace.last, limit=1).rows == (
        StateRow(
            stream_id="BankAccount-bob",
            category="BankAccount",
            kind="aggregate",
            version=6,
            changed=True,
            is_new=False,
            gone=False,
            fields=(
                field("balance", "5000", "6000", changed=True),
                field("account_id", "bob"),
                field("name", "Bob"),
                field("status", "open"),
            ),
        ),
    )


def test_changed_rows_come_first_and_the_others_in_order_of_appearance() -> None:
    trace = story_of(bank)
    assert ids(state(trace, trace.last)) == ["BankAccount-bob", "BankAccount-alice", "BankAccount-carol"]


def test_an_instance_that_the_command_started_is_new() -> None:
    trace = story_of(bank)
    row = state(trace, before(trace, "WithdrawFunds")).rows[0]
    assert (row.stream_id, row.kind) == ("Transfer-rent", "process manager")
    assert (row.is_new, row.gone, row.changed) == (True, False, True)
    assert row.fields[-1] == field("stage", "initiated", changed=True)


def test_an_instance_that_the_command_stopped_is_shown_once_more_and_then_no_longer() -> None:
    trace = story_of(bank)
    row = next(
        row for row in state(trace, after(trace, "Stopped", 2)).rows if row.stream_id == "Transfer-gift"
    )
    assert (row.gone, row.changed, row.version) == (True, True, 3)
    assert row.fields[-1] == field("stage", "funds withdrawn")
    assert "Transfer-gift" in ids(state(trace, before(trace, "WithdrawFunds", -1)))
    assert "Transfer-gift" not in ids(state(trace, after(trace, "WithdrawFunds", -1)))


def test_once_the_next_command_is_dispatched_nothing_is_marked_as_changed() -> None:
    trace = story_of(bank)
    assert not [row for row in state(trace, after(trace, "WithdrawFunds")).rows if row.changed]


def test_a_rejected_command_changes_nothing() -> None:
    trace = story_of(bank)
    assert not [row for row in state(trace, before(trace, "RenameAccount")).rows if row.changed]


def test_an_aggregate_that_the_stack_began_with_is_not_new() -> None:
    trace = trace_of(DepositFunds("1", 5), aggregates={"BankAccount-1": BankAccount("1", balance=100)})
    (row,) = state(trace, trace.last).rows
    assert (row.changed, row.is_new) == (True, False)
    assert row.fields[0] == field("balance", "105", "100", changed=True)


def test_an_aggregate_that_was_read_from_its_stream_shows_what_the_command_changed() -> None:
    history = trace_of(DepositFunds("1", 5))[5].stack.event_store
    trace = trace_of(DepositFunds("1", 2), event_store=history)
    (row,) = state(trace, trace.last).rows
    assert (row.version, row.is_new, row.fields[0]) == (2, False, field("balance", "7", "5", changed=True))


def test_an_aggregate_that_is_not_read_from_its_history_yet_says_so() -> None:
    history = trace_of(DepositFunds("1", 5))[5].stack.event_store
    (row,) = state(trace_of(DepositFunds("2", 2), event_store=history), 0).rows
    assert row.fields == (FieldRow("not loaded yet", "a command loads it when needed", None, changed=False),)


def test_an_instance_that_a_history_started_is_not_new() -> None:
    history = InMemoryEventStore.of(story_of(bank).index.events[:5])
    trace = trace_of(WithdrawFunds("alice", 60_00, "rent"), event_store=history)
    moment = next(step.index for step in trace.steps if step.kind == "Continued")
    row = next(row for row in state(trace, moment).rows if row.stream_id == "Transfer-rent")
    assert (row.is_new, row.gone) == (False, False)
    assert row.fields[0] == field("stage", "funds withdrawn", "initiated", changed=True)


def test_an_aggregate_that_is_rebuilt_after_a_conflict_is_not_gone() -> None:
    history = trace_of(DepositFunds("1", 5))[5].stack.event_store
    trace = trace_of(
        DepositFunds("1", 1), aggregates={"BankAccount-1": BankAccount("1")}, event_store=history
    )
    seen = {type(trace[n].step).__name__: state(trace, n).rows for n in range(1, len(trace))}
    (forgotten,), (rebuilt,), (after,) = (seen[name] for name in ("Conflicted", "Populated", "Completed"))
    assert (forgotten.gone, [field.name for field in forgotten.fields]) == (False, ["not loaded yet"])
    assert rebuilt.fields[0] == field("balance", "5", "0", changed=True)
    assert after.fields[0] == field("balance", "6", "0", changed=True)


@pytest.mark.parametrize("query", ["ALICE", "alice ", "4000", "bankaccount-ali"])
def test_a_query_is_found_in_ids_and_values_whatever_its_case(query: str) -> None:
    trace = story_of(bank)
    view = state(trace, trace.last, query=query)
    assert (view.query, view.total, view.matching) == (query, 3, 1)
    assert ids(view) == ["BankAccount-alice"]


def test_a_query_is_found_in_the_names_of_fields() -> None:
    trace = story_of(bank)
    assert state(trace, trace.last, query="balance").matching == 3
    assert state(trace, trace.last, query="no such text").rows == ()


def test_a_remembered_search_finds_what_a_fresh_one_finds_wherever_the_cursor_goes() -> None:
    trace = story_of(fulfilment)
    moments = [*range(0, trace.last, 3), trace.last, *range(trace.last, 0, -7), 0, trace.last, 11]
    for query in ("10", "status", "mug"):
        for cursor in moments:
            view = state(trace, cursor, query=query, limit=1_000)
            every = state(trace, cursor, limit=1_000).rows
            assert list(view.rows) == [row for row in every if mentions(row, query)]


def mentions(row: StateRow, query: str) -> bool:
    return any(query in text for text in (row.stream_id, *(t for f in row.fields for t in (f.name, f.value))))


def test_a_search_on_another_branch_finds_that_branchs_values() -> None:
    stepper = stepper_of(DepositFunds("a", 5))
    stepper.resume()
    assert state(stepper.trace, 5, query="11").matching == 0
    stepper.goto(0)
    stepper.submit(DepositFunds("b", 11))
    stepper.resume()
    assert ids(state(stepper.trace, stepper.cursor, query="11")) == ["BankAccount-b"]
    stepper.switch("main")
    assert state(stepper.trace, 5, query="11").matching == 0


def test_a_window_shows_a_part_of_the_rows() -> None:
    trace = trace_of(*[DepositFunds(f"a{n}", 1) for n in range(100)])
    view = state(trace, trace.last, first=10, limit=3)
    assert (view.total, view.matching, view.first) == (100, 100, 10)
    assert ids(view) == ["BankAccount-a9", "BankAccount-a10", "BankAccount-a11"], (
        "a99 is changed, so it is first"
    )


def test_a_window_beyond_the_rows_shows_the_last() -> None:
    trace = trace_of(DepositFunds("a", 1), DepositFunds("b", 1))
    assert ids(state(trace, trace.last, first=50)) == ["BankAccount-a"]


def test_the_same_moment_shows_the_same_whichever_way_it_was_reached() -> None:
    trace = story_of(fulfilment)
    forwards = [state(trace, cursor, limit=100) for cursor in range(len(trace))]
    assert [state(trace, cursor, limit=100) for cursor in reversed(range(len(trace)))] == forwards[::-1]


def living(trace: Trace, cursor: int) -> list[str]:
    stack = trace[cursor].stack
    return sorted([*stack.aggregates, *stack.process_managers])


def test_the_rows_that_are_not_gone_are_what_the_stores_hold() -> None:
    trace = story_of(fulfilment)
    for cursor in range(len(trace)):
        rows = state(trace, cursor, limit=100).rows
        assert sorted(row.stream_id for row in rows if not row.gone) == living(trace, cursor)


@command(to="Tag", by="id")
@dataclass(frozen=True)
class Write:
    id: str
    text: str


@dataclass(frozen=True)
class Written:
    text: str


@dataclass(frozen=True)
class Tag:
    id: str
    text: str = ""

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def execute(self, order: Any) -> Any:
        return [Written(order.text), Written(order.text.upper())]

    def apply(self, event: Any) -> Self:
        return replace(self, text=event.text)


def test_events_of_one_command_are_one_change() -> None:
    trace = trace_of(Write("1", "a"), Write("1", "b"), managers=())
    (row,) = state(trace, trace.last).rows
    assert row.fields[0] == field("text", "B", "A", changed=True)
    assert row.stream_id == Identity(Tag, "1").stream_id


def test_a_rename_by_markup_shows_the_markup() -> None:
    trace = trace_of(DepositFunds("a", 1), RenameAccount("a", "<img src=x onerror=alert(1)>"))
    assert state(trace, trace.last).rows[0].fields[0].value == "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_rows_that_were_kept_are_those_that_are_drawn_anew(model: Any) -> None:
    trace, kept = story_of(model), KeptRows()
    looks: Any = {"unfolded": [("Order-A-1", "lines"), ("Order-A-2", "lines")], "limit": 10**6}
    for moment in [*range(len(trace)), *range(trace.last, -1, -7)]:
        for look in ({}, looks):
            assert state(trace, moment, kept=kept, **look) == state(trace, moment, **look)
