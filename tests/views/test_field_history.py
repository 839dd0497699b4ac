"""Pinned rows, states as of any version, and what a field was over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import BankAccount, DepositFunds, RenameAccount
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.messages import command
from calamity_lab.model import Model
from calamity_lab.trace.trace import Trace
from calamity_lab.views import versions as versions_module
from calamity_lab.views.state import StateRow, state
from calamity_lab.views.tables import state_rows
from calamity_lab.views.versions import POINTS, FieldHistory, Versions, field_history
from tests.moments import after
from tests.views.traces import stepper_of, story_of, trace_of

BOB = "BankAccount-bob"
TYPES = {cls.__name__: cls for cls in (*Model.find(bank).aggregates, *Model.find(bank).process_managers)}


def revisions(trace: Trace, stream_id: str) -> Versions:
    return Versions(trace, trace.index.lanes[trace.index.lane_numbers[stream_id]], TYPES)


def history(trace: Trace, stream_id: str, path: str, cursor: int | None = None) -> FieldHistory:
    return field_history(revisions(trace, stream_id), path, trace.last if cursor is None else cursor)


def as_of(trace: Trace, cursor: int, stream_id: str, version: int) -> StateRow:
    rows = state(trace, cursor, as_of=[(stream_id, version)], pinned=[stream_id], types=TYPES).pinned
    return rows[0]


def test_pinned_rows_stand_apart_in_the_order_of_pinning_and_are_not_counted() -> None:
    trace = story_of(bank)
    view = state(trace, trace.last, pinned=["BankAccount-carol", BOB])
    assert [row.stream_id for row in view.pinned] == ["BankAccount-carol", BOB]
    assert [row.stream_id for row in view.rows] == ["BankAccount-alice"]
    assert (view.total, view.matching) == (1, 1)
    assert view.pinned[1].changed


def test_pinned_rows_stay_whatever_is_searched_and_wherever_the_cursor_is() -> None:
    trace = story_of(bank)
    for cursor in range(len(trace)):
        for query in ("", "alice", "no such text"):
            view = state(trace, cursor, pinned=["Transfer-rent", BOB], query=query)
            assert [row.stream_id for row in view.pinned] == ["Transfer-rent", BOB]
            assert not {row.stream_id for row in view.rows} & {"Transfer-rent", BOB}


def test_a_pinned_row_that_is_not_there_says_so() -> None:
    trace = story_of(bank)
    notes = [state(trace, at, pinned=["Transfer-rent"]).pinned[0].note for at in (0, 24, trace.last)]
    assert notes == ["not there yet", "", "no longer there"]
    assert state(trace, 0, pinned=["BankAccount-zoe"]).pinned[0].note == "not on this branch"


def test_a_state_as_of_a_version_is_what_the_trace_recorded() -> None:
    for domain in (bank, fulfilment):
        trace = story_of(domain)
        recorded = state_rows(trace)
        assert recorded
        for row in recorded:
            revision = revisions(trace, row.stream_id).at(row.stream_version)
            assert (revision.state, revision.moment) == (row.state, row.moment)
            assert revision.event == row.event_type


def test_an_instance_as_of_a_version_is_what_its_reaction_made_of_it() -> None:
    trace = story_of(bank)
    found = [revisions(trace, "Transfer-rent").at(n) for n in (1, 2, 3)]
    assert [each.state.stage for each in found] == ["initiated", "funds withdrawn", "funds withdrawn"]
    for each in found[:2]:
        assert trace[each.moment or 0].stack.process_managers["Transfer-rent"] == each.state


def test_a_row_as_of_a_version_shows_what_that_version_changed_and_says_which_it_is() -> None:
    trace = story_of(bank)
    row = as_of(trace, trace.last, BOB, 2)
    assert row.as_of is not None
    assert (row.as_of.version, row.as_of.first, row.as_of.last) == (2, 0, 6)
    assert row.as_of.event == "FundsDeposited"
    assert not row.as_of.is_future
    balance = row.fields[0]
    assert (balance.name, balance.before, balance.changed) == ("balance", "0", True)
    assert row.version == 6, "the row also has the version at the cursor"
    assert not row.changed


def test_a_version_that_the_cursor_has_not_reached_is_said_as_future() -> None:
    trace = story_of(bank)
    row = as_of(trace, 5, BOB, 6)
    assert row.as_of is not None
    assert row.as_of.is_future
    assert row.as_of.moment is not None
    assert state(trace, row.as_of.moment, pinned=[BOB]).pinned[0].version == 6


def test_a_version_beyond_the_last_is_the_last_and_the_first_is_what_new_gives() -> None:
    trace = story_of(bank)
    last, first = as_of(trace, trace.last, BOB, 99), as_of(trace, trace.last, BOB, 0)
    assert last.as_of is not None
    assert last.as_of.version == 6
    assert first.fields[0].value == "bob"
    assert not any(field.changed for field in first.fields)


def test_a_state_older_than_the_trace_is_folded_from_its_stream() -> None:
    old = trace_of(*[DepositFunds("1", n) for n in (1, 2, 3)])
    store = old[old.last].stack.event_store
    trace = trace_of(DepositFunds("1", 4), RenameAccount("1", "Ann"), event_store=store)
    found = [revisions(trace, "BankAccount-1").at(n) for n in range(6)]
    assert [each.state.balance for each in found] == [0, 1, 3, 6, 10, 10]
    assert [each.moment is None for each in found] == [True] * 4 + [False] * 2
    assert [each.event for each in found][:3] == ["", "FundsDeposited", "FundsDeposited"]


def test_an_aggregate_that_is_not_read_yet_can_be_seen_as_of_any_version() -> None:
    old = trace_of(*[DepositFunds("1", n) for n in (1, 2, 3)])
    trace = trace_of(DepositFunds("2", 4), event_store=old[old.last].stack.event_store)
    row = as_of(trace, 0, "BankAccount-1", 2)
    assert row.as_of is not None
    assert (row.as_of.last, row.as_of.is_future, row.fields[0].value) == (3, False, "3")


def test_without_its_class_a_state_older_than_the_trace_cannot_be_made_and_the_row_says_why() -> None:
    old = trace_of(DepositFunds("1", 1))
    trace = trace_of(DepositFunds("2", 4), event_store=old[old.last].stack.event_store)
    row = state(trace, 0, as_of=[("BankAccount-1", 1)]).rows[0]
    assert (row.note, row.fields) == ("the class BankAccount is not known here", ())
    assert row.as_of is not None
    assert row.as_of.why == row.note


def test_a_stack_that_began_with_a_state_begins_with_that_version() -> None:
    trace = trace_of(DepositFunds("1", 5), aggregates={"BankAccount-1": BankAccount("1", balance=100)})
    assert [revisions(trace, "BankAccount-1").at(n).state.balance for n in (0, 1)] == [100, 105]


def test_what_others_recorded_in_between_is_folded_too() -> None:
    old = trace_of(DepositFunds("1", 5))[5].stack.event_store
    trace = trace_of(DepositFunds("1", 1), aggregates={"BankAccount-1": BankAccount("1")}, event_store=old)
    assert [revisions(trace, "BankAccount-1").at(n).state.balance for n in (1, 2)] == [5, 6]


def test_what_the_model_raises_at_an_old_event_is_said_in_place_of_the_state() -> None:
    store = InMemoryEventStore().append("Parcel-1", [DepositFunds("no", 1)])
    trace = trace_of(Weigh("2", 1), event_store=store, managers=())
    row = state(trace, 0, as_of=[("Parcel-1", 1)], types={"Parcel": Parcel}).rows[0]
    assert row.fields == ()
    assert "Parcel.apply raised AttributeError" in row.note


def test_a_numbers_history_is_drawn_to_the_end_of_the_branch_and_tells_what_is_past() -> None:
    trace = trace_of(*[DepositFunds("a", n) for n in (1, 2, 3)], RenameAccount("a", "Ann"))
    found = history(trace, "BankAccount-a", "balance", cursor=after(trace, "FundsDeposited", 3))
    assert found.kind == "numbers"
    assert found.versions == (1, 2, 3, 4)
    assert found.values == ("1", "3", "6", "6")
    assert found.heights == (0.0, 0.4, 1.0, 1.0)
    assert (found.least, found.most, found.every) == ("1", "6", 1)
    for moment, version in zip(found.moments, found.versions, strict=True):
        assert moment is not None
        assert trace[moment].stack.aggregate_versions["BankAccount-a"] == version
        assert trace[moment - 1].stack.aggregate_versions.get("BankAccount-a", 0) == version - 1
    assert [history(trace, "BankAccount-a", "balance", at).past for at in (0, 4, trace.last)] == [0, 1, 4]


def test_other_values_are_said_as_changes_with_their_versions() -> None:
    trace = trace_of(
        DepositFunds("a", 1), RenameAccount("a", "Ann"), DepositFunds("a", 2), RenameAccount("a", "<b>Bo</b>")
    )
    found = history(trace, "BankAccount-a", "name")
    assert (found.kind, found.versions, found.heights) == ("changes", (1, 2, 4), ())
    assert found.values[1:] == ("Ann", "<b>Bo</b>")
    assert found.past == 3


def test_changes_beyond_where_a_long_value_is_cut_are_changes_too() -> None:
    sizes = ["x" * 200 + end for end in ("a", "a", "b")]
    trace = trace_of(*[Weigh("1", size) for size in sizes], managers=())
    assert history(trace, "Parcel-1", "size").versions == (1, 3)


def test_of_many_changes_those_around_the_cursor_are_said() -> None:
    trace = trace_of(*[RenameAccount("a", f"name {n}") for n in range(40)])
    middle = history(trace, "BankAccount-a", "name", cursor=trace.last // 2)
    assert (len(middle.values), middle.past, middle.earlier) == (12, 8, 12)
    assert middle.values[7] == "name 19"
    assert history(trace, "BankAccount-a", "name", cursor=0).values[0] == "name 0"


def test_of_a_very_long_history_every_second_version_is_looked_at_or_fewer() -> None:
    trace = trace_of(*[DepositFunds("a", 1) for _ in range(300)])
    found = history(trace, "BankAccount-a", "balance")
    assert found.every == 4
    assert found.versions[:2] == (4, 8)
    assert found.versions[-1] == 300
    assert len(found.versions) <= POINTS + 1


@pytest.mark.parametrize(
    ("sizes", "heights"),
    [
        ((Decimal("1.5"), None, Decimal("2.5")), (0.0, None, 1.0)),
        ((timedelta(0), timedelta(hours=1), timedelta(minutes=30)), (0.0, 1.0, 0.5)),
        ((7, 7), (0.5, 0.5)),
        ((-1.7e308, 1.7e308), (0.0, 1.0)),
        ((True, False), ()),
        ((1, "one"), ()),
        ((float("nan"), 10**400), ()),
        ((None, None), ()),
    ],
)
def test_what_is_a_number_is_drawn_and_all_else_is_said(
    sizes: tuple[Any, ...], heights: tuple[float | None, ...]
) -> None:
    trace = trace_of(*[Weigh("1", size) for size in sizes], managers=())
    assert history(trace, "Parcel-1", "size").heights == heights


def test_the_history_of_a_value_within_a_value_follows_its_path() -> None:
    trace = trace_of(Weigh("1", {"kg": [1]}), Weigh("1", {"kg": [2]}), Weigh("1", {}), managers=())
    found = history(trace, "Parcel-1", "size['kg'][0]")
    assert (found.values, found.heights) == (("1", "2", "not there"), (0.0, 1.0, None))


def test_only_the_fields_that_were_asked_for_have_a_history() -> None:
    trace = story_of(bank)
    view = state(trace, trace.last, histories=[(BOB, "balance"), ("BankAccount-zoe", "balance")])
    having = [(row.stream_id, each.name) for row in view.rows for each in row.fields if each.history]
    assert having == [(BOB, "balance")]


def test_a_step_elsewhere_does_not_look_through_a_history_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = stepper_of(*[DepositFunds("a", n) for n in range(1, 50)])
    stepper.resume()
    looks: dict[str, Any] = {"histories": [("BankAccount-a", "balance")], "as_of": [("BankAccount-a", 3)]}
    state(stepper.trace, stepper.cursor, **looks)
    stepper.submit(DepositFunds("b", 1))
    asked = []

    def counted(self: Versions, version: int) -> Any:
        asked.append(version)
        return None

    monkeypatch.setattr(versions_module.Versions, "_decided", counted)
    while not stepper.at_end:
        stepper.step_in()
        state(stepper.trace, stepper.cursor, **looks)
    assert asked == []


def test_another_branch_has_a_history_of_its_own() -> None:
    stepper = stepper_of(DepositFunds("a", 1), DepositFunds("a", 2))
    stepper.resume()
    stepper.goto(after(stepper, "Completed"))
    stepper.submit(DepositFunds("a", 30))
    stepper.resume()
    other = history(stepper.trace, "BankAccount-a", "balance").values
    stepper.switch("main")
    assert history(stepper.trace, "BankAccount-a", "balance").values == ("1", "3")
    assert other != ("1", "3")


@command(to="Parcel", by="id")
@dataclass(frozen=True)
class Weigh:
    id: str
    size: Any


@dataclass(frozen=True)
class Weighed:
    size: Any


@dataclass(frozen=True)
class Parcel:
    id: str
    size: Any = None

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def execute(self, order: Any) -> Any:
        return Weighed(order.size)

    def apply(self, event: Any) -> Self:
        return replace(self, size=event.size)


@command(to="Shelf", by="id")
@dataclass(frozen=True)
class PutOnShelf:
    id: str
    item: str


@dataclass(frozen=True)
class OnShelf:
    item: str


@dataclass(frozen=True)
class Shelf:
    id: str
    items: tuple[str, ...] = ()

    @classmethod
    def new(cls, aggregate_id: str) -> Self:
        return cls(aggregate_id)

    def execute(self, put: PutOnShelf) -> OnShelf:
        return OnShelf(put.item)

    def apply(self, event: OnShelf) -> Self:
        return replace(self, items=(*self.items, event.item))


def test_the_history_of_a_long_value_says_what_changed_inside_it() -> None:
    items = [f"a thing with a long name, number {n}" for n in range(5)]
    trace = trace_of(*[PutOnShelf("1", item) for item in items])
    versions = Versions(trace, trace.index.lanes[0], {"Shelf": Shelf})
    assert field_history(versions, "items", trace.last).values[-1] == "+ 'a thing with a long name, number 4'"
