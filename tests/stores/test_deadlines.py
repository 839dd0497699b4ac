"""Deadlines over a database: set, taken off and met once, whoever does it, and found again after a crash."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import (
    After,
    Cancel,
    Lab,
    Rejected,
    Run,
    Stack,
    advance,
    begin,
    dispatch,
    due,
    elapse,
    seeded_ids,
    ticking_clock,
)
from calamity_lab.errors import (
    AlreadySettled,
    CommitConflict,
    InvalidValue,
    ModelError,
    SerializationError,
    UnknownName,
)
from calamity_lab.kernel.deadlines import TakenOff
from calamity_lab.kernel.outbox import CANCELLED, rejection
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.steps import Appended, Settled
from calamity_lab.stores import DeadlineWorker, OverlayEventStore, ProcessManagerWorker, SQLEventStore
from tests import holds
from tests.holds import (
    EXPIRED,
    REMINDED,
    ExpireHold,
    ExtendHold,
    Holding,
    HoldSeat,
    RemindGuest,
    Seat,
    SellSeat,
    theatre,
)
from tests.stores.sql.notes import connected
from tests.stores.test_overlay_outbox import contents

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(url: str) -> Any:
    with SQLEventStore(url, holds) as opened:
        yield opened


@pytest.fixture
def other(url: str) -> Any:
    """The store of another process."""
    with SQLEventStore(url, holds) as opened:
        yield opened


def process(store: SQLEventStore, **fields: Any) -> Stack:
    """A stack of a process of its own; what it draws is drawn by no other."""
    return replace(theatre(event_store=store), ids=Stack().ids, **fields)


def outcomes(store: SQLEventStore) -> list[tuple[str | None, str | None]]:
    return [(entry.deadline, entry.outcome) for entry in store.outbox]


def events(store: SQLEventStore) -> list[str]:
    return [each.event_type for each in store]


def finish(run: Run) -> tuple[list[Any], Run]:
    steps = []
    while not run.idle:
        step, run = advance(run)
        steps.append(step)
    return steps, run


def test_what_is_set_is_in_the_outbox_with_its_name_and_when_it_is_due(store: SQLEventStore) -> None:
    stack = dispatch(process(store), HoldSeat("A1"))
    (held,) = store
    reminder, expiry = store.outbox
    assert (reminder.command_type, reminder.deadline, reminder.outcome) == ("RemindGuest", "reminder", None)
    assert reminder.due_at == held.recorded_at + REMINDED
    assert (expiry.deadline, expiry.due_at) == ("ExpireHold", held.recorded_at + EXPIRED)
    run = recover(process(store))
    assert run.idle
    assert run.stack.deadlines == stack.deadlines
    assert [each.command for each in run.stack.deadlines] == [RemindGuest("A1"), ExpireHold("A1")]


def test_the_end_of_an_instance_and_the_same_name_again_settle_deadlines_as_cancelled(
    store: SQLEventStore,
) -> None:
    stack = dispatch(process(store), HoldSeat("A1"))
    stack = dispatch(stack, HoldSeat("A2"))
    stack = dispatch(stack, ExtendHold("A1"))
    before = [
        ("reminder", "cancelled"),
        ("ExpireHold", "cancelled"),
        ("reminder", None),
        ("ExpireHold", None),
    ]
    assert outcomes(store) == [*before, ("ExpireHold", None)]
    assert recover(process(store)).stack.deadlines == stack.deadlines
    dispatch(stack, SellSeat("A2"))
    assert [outcome for _, outcome in outcomes(store)] == ["cancelled"] * 4 + [None]
    cancelled = store.outbox[0]
    assert store.outcome_of(cancelled.command_id) == CANCELLED


def test_a_deadline_is_met_once_and_settled_by_its_append(store: SQLEventStore) -> None:
    stack = dispatch(process(store), HoldSeat("A1"))
    stack = due(stack, START + HOUR)
    assert events(store) == ["SeatHeld", "GuestReminded", "HoldExpired"]
    assert outcomes(store) == [("reminder", "accepted"), ("ExpireHold", "accepted")]
    assert due(process(store), START + HOUR).deadlines == due(stack, START + HOUR).deadlines
    assert len(store) == 3


def test_a_process_meets_the_deadlines_of_another(store: SQLEventStore, other: SQLEventStore) -> None:
    dispatch(process(store), HoldSeat("A1"))
    idle = process(other)
    assert due(idle, START) is idle
    after = due(idle, START + timedelta(minutes=12))
    assert events(store) == ["SeatHeld", "GuestReminded"]
    extending = process(store, clock=ticking_clock("2026-01-01T00:12:00+00:00"))
    dispatch(extending, ExtendHold("A1"))  # the expiry of the first process is cancelled
    after = due(after, START + timedelta(minutes=16))
    assert events(store) == ["SeatHeld", "GuestReminded", "HoldExtended"]
    after = due(after, START + HOUR)
    assert events(store)[-1] == "HoldExpired"
    assert not after.deadlines


def test_a_value_forgets_a_deadline_that_another_process_took_off_or_met(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    stack = dispatch(dispatch(process(store), HoldSeat("A1")), HoldSeat("A2"))
    elsewhere = dispatch(process(other), SellSeat("A1"))
    due(elsewhere, START + HOUR)
    written = events(store)
    assert len(stack.deadlines) == 4
    stack = due(stack, START + HOUR)
    assert (events(store), len(stack.deadlines)) == (written, 0)


def test_a_deadline_that_was_cancelled_elsewhere_is_a_step_that_says_so(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    stack = dispatch(process(store), HoldSeat("A1"))
    dispatch(process(other), SellSeat("A1"))
    _, run = elapse(begin(stack))
    steps, run = finish(run)
    (settled,) = [step for step in steps if isinstance(step, Settled)]
    assert settled.outcome == CANCELLED
    assert "cancelled" in str(settled)
    assert events(store) == ["SeatHeld", "SeatSold"]


def test_two_processes_that_meet_the_same_deadlines_at_once_meet_each_once(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    stack = process(store)
    for n in range(6):
        stack = dispatch(stack, HoldSeat(f"A{n}"))
    now = START + HOUR
    runs = [recover(process(each)) for each in (store, other)]
    runs = [elapse(run, now)[1] for run in runs]  # both have all of them on their agendas
    settled = appended = 0
    while not all(run.idle for run in runs):
        for n, run in enumerate(runs):
            if not run.idle:
                step, runs[n] = advance(run)
                settled += isinstance(step, Settled)
                appended += isinstance(step, Appended)
    assert (appended, settled) == (12, 12)
    assert sorted(events(store)) == sorted(["SeatHeld", "GuestReminded", "HoldExpired"] * 6)


def test_a_thousand_deadlines_that_are_overdue_are_met_in_order_of_when_they_were_due(
    tmp_path: Path,
) -> None:
    with SQLEventStore(f"sqlite:///{tmp_path / 'theatre.db'}", holds) as store:
        seats = [holds.SeatHeld(str(n * 7 % 500), "Noor") for n in range(500)]
        store.append("Seat-all", seats)  # so each command of a deadline is rejected: no such seat is held
        run = recover(process(store, process_managers_begin={"Holding": 0}))
        deadlines = run.stack.deadlines
        assert len(deadlines) == 1_000
        assert [each.due_at for each in deadlines] == sorted([each.due_at for each in deadlines])
        later = datetime.now(UTC) + HOUR
        found = store.deadlines_due(lambda name: None, ["Holding"], later)
        assert [each.command_id for each in found] == [each.command_id for each in deadlines]
        assert not due(process(store), later).deadlines
        assert [entry.outcome for entry in store.outbox] == ["rejected"] * 1_000


def test_what_the_store_is_asked_of_deadlines(store: SQLEventStore) -> None:
    dispatch(process(store), HoldSeat("A1"))
    reminder, expiry = recover(process(store)).stack.deadlines
    assert store.next_due(["Holding"], START) == reminder.due_at
    assert store.next_due(["Other", "Holding"], reminder.due_at) == expiry.due_at
    assert store.next_due(["Holding"], expiry.due_at) is None
    assert store.next_due(["Hold"], START) is store.next_due([], START) is None
    (found,) = store.deadlines_due(lambda name: None, ["Holding"], reminder.due_at)
    assert found.command_id == reminder.command_id
    assert store.deadlines_due(lambda name: None, ["Other"], START + HOUR) == ()
    with pytest.raises(InvalidValue, match="no time zone"):
        store.next_due(["Holding"], START.replace(tzinfo=None))
    with pytest.raises(InvalidValue, match=r"hand_on\(taken_off\)"):
        store.hand_on("Holding", 1, 1, [], [], taken_off=["Holding-A1"])


@dataclass(frozen=True)
class Asking(Holding):
    """Holding that asks again when its reminder is rejected, and then gives the expiry up."""

    @classmethod
    def interested(cls, event: Any) -> Any:
        return None if isinstance(event, holds.SeatSold) else Holding.interested(event)

    def handle_rejection(self, rejected: Rejected) -> Any:
        return [Cancel(ExpireHold), After(HOUR, RemindGuest(self.seat_id), name="again")]


def asking(store: SQLEventStore) -> Stack:
    return Stack(event_store=store, process_manager_types=(Asking,), clock=ticking_clock())


def test_what_a_rejection_sets_and_cancels_is_kept(store: SQLEventStore) -> None:
    stack = dispatch(asking(store), HoldSeat("A1"))
    dispatch(Stack(event_store=store), SellSeat("A1"))
    stack = due(stack, START + timedelta(minutes=11))
    assert outcomes(store) == [("reminder", "rejected"), ("ExpireHold", "cancelled"), ("again", None)]
    assert [each.deadline for each in stack.deadlines] == ["again"]
    assert recover(asking(store)).stack.deadlines == stack.deadlines


@pytest.mark.parametrize("second", ["a rejection", "an event"])
def test_of_two_deadlines_of_one_name_that_are_set_at_once_one_stays(postgres_url: str, second: str) -> None:
    with (
        SQLEventStore(postgres_url, holds) as one,
        SQLEventStore(postgres_url, holds) as other,
        closing(connected(postgres_url)) as connection,
        ThreadPoolExecutor(2) as threads,
    ):
        dispatch(process(one), HoldSeat("A1"))
        reminder, expiry = recover(process(one)).stack.deadlines
        off = [TakenOff("Holding-A1", "again")]
        sent = [[replace(reminder, command_id=f"again {n}", deadline="again")] for n in range(2)]
        connection.execute("SELECT 1 FROM outbox, process_managers FOR UPDATE")
        # Both have begun before either is done.
        done = [threads.submit(one.settle, reminder, rejection(Rejected("gone")), sent[0], taken_off=off)]
        if second == "a rejection":
            args: tuple[Any, ...] = (other.settle, expiry, rejection(Rejected("gone")), sent[1])
        else:
            args = (other.hand_on, "Holding", 1, 1, [], sent[1])
        done.append(threads.submit(*args, taken_off=off))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with closing(connected(postgres_url)) as looking:
            looking.autocommit = True
            assert waited(lambda: looking.execute(waits).fetchone()[0] == 2)
        connection.rollback()
        assert [each.result() for each in done] == [one, other]
        again = [entry.outcome for entry in one.outbox if entry.deadline == "again"]
        assert sorted(again, key=str) == [None, "cancelled"]


def test_a_deadline_whose_command_has_no_class_any_more_is_told(url: str, store: SQLEventStore) -> None:
    dispatch(process(store), HoldSeat("A1"))
    with closing(connected(url)) as connection:
        connection.execute("UPDATE outbox SET command_type = 'Gone' WHERE deadline = 'ExpireHold'")
        connection.commit()
    with pytest.raises(UnknownName, match=r"a command 'Gone' of Holding-A1 is outstanding"):
        recover(process(store))
    with pytest.raises(UnknownName, match=r'event_store\.drop\("'):
        due(process(store), START + HOUR)


def test_a_deadline_whose_time_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "theatre.db"  # PostgreSQL keeps a time in its own type
    with SQLEventStore(f"sqlite:///{path}", holds) as store:
        dispatch(process(store), HoldSeat("A1"))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE outbox SET due_at = 'soon' WHERE deadline = 'reminder'")
            connection.commit()
        with pytest.raises(SerializationError, match=r"cannot be read: .*drop\("):
            recover(process(store))
        assert [entry.deadline for entry in store.outbox if entry.due_at == "soon"] == ["reminder"]


def test_a_clock_that_went_back_meets_nothing_early_and_loses_nothing(store: SQLEventStore) -> None:
    dispatch(process(store, clock=ticking_clock("2026-03-01")), HoldSeat("A1"))
    back = process(store)  # its clock is at the beginning of the year
    assert due(back, START + HOUR) is back
    due(back, datetime(2026, 3, 2, tzinfo=UTC))
    assert events(store) == ["SeatHeld", "GuestReminded", "HoldExpired"]


def test_a_deadline_whose_callback_raises_is_set_aside_and_met_by_the_next(
    store: SQLEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = dispatch(dispatch(process(store), HoldSeat("A1")), HoldSeat("A2"))
    plain, broken = Seat.execute, ["A1"]

    def execute(self: Any, command: Any) -> Any:
        if isinstance(command, RemindGuest) and command.seat_id in broken:
            raise KeyError("no such seat")
        return plain(self, command)

    monkeypatch.setattr(Seat, "execute", execute)
    with pytest.raises(ModelError, match="no such seat"):
        due(stack, START + HOUR)
    assert events(store)[2:] == ["GuestReminded", "HoldExpired", "HoldExpired"]
    # The instance of A1 has ended by its expiry, which took the reminder off.
    assert [outcome for _, outcome in outcomes(store)] == ["cancelled", "accepted", "accepted", "accepted"]


def test_a_mark_that_is_moved_back_keeps_the_deadlines_that_are_set_once_more(store: SQLEventStore) -> None:
    dispatch(process(store), HoldSeat("A1"))
    store.move_mark("Holding", 0)
    run = recover(process(store))
    assert outcomes(store) == [("reminder", None), ("ExpireHold", None)]
    assert [each.deadline for each in run.stack.deadlines] == ["reminder", "ExpireHold"]


@pytest.mark.parametrize("height", [1, 2])
def test_an_overlay_keeps_deadlines_of_its_base_that_are_set_once_more(
    store: SQLEventStore, height: int
) -> None:
    dispatch(dispatch(process(store), HoldSeat("A1")), ExtendHold("A1"))
    set_before = recover(process(store)).stack.deadlines
    there = store.outbox
    store.move_mark("Holding", 0)
    above: Any = store
    for _ in range(height):
        above = OverlayEventStore(above)
    run = recover(process(above))
    assert run.stack.deadlines == set_before
    after = run.stack.event_store
    assert after.outstanding(lambda name: None, ["Holding"]) == tuple(set_before)
    assert [after.outcome_of(each.command_id) for each in set_before] == [None]
    for _ in range(height):
        _, after = after.commit()
    assert store.outbox == there
    assert store.marks() == ({"Holding": 2}, 2)
    due(recover(process(store)).stack, START + HOUR)
    assert events(store)[2:] == ["HoldExpired"]


def test_a_database_of_before_gets_the_indices_of_deadlines_when_it_is_opened(url: str) -> None:
    SQLEventStore(url, holds).close()
    with closing(connected(url)) as connection:
        for name in ("outbox_deadlines", "outbox_deadlines_of"):
            connection.execute(f"DROP INDEX {name}")
        connection.commit()
    with SQLEventStore(url, holds) as store:
        _, found = store._database.tables_and_indices()
        assert {"outbox_deadlines", "outbox_deadlines_of"} <= found
        dispatch(process(store), HoldSeat("A1"))
        assert store.settle(recover(process(store)).stack.deadlines[0], CANCELLED).next_due(
            ["Holding"], START
        )


def test_taking_off_what_is_not_there_changes_nothing(store: SQLEventStore) -> None:
    stack = dispatch(process(store), HoldSeat("A1"))
    before = outcomes(store)
    off = [TakenOff("Holding-A1", "nothing"), TakenOff("Holding-A", None), TakenOff("Holding-A11", None)]
    assert store.hand_on("Holding", 1, 1, [], [], taken_off=off) is store
    assert store.hand_on("Holding", 7, 8, [], [], taken_off=[TakenOff("Holding-A1", None)]) is None
    assert outcomes(store) == before
    assert stack.deadlines


def acts(stack: Stack) -> Iterator[Stack]:
    """What happens to holds of which some were begun before: all that may happen to a deadline."""
    stack = dispatch(stack, ExtendHold("A1"))  # it cancels the reminder of before, and replaces the expiry
    yield stack
    stack = dispatch(stack, SellSeat("A2"))
    stack = dispatch(stack, HoldSeat("A4"))
    yield stack
    stack = due(stack, START + timedelta(minutes=12))  # A3 and A4 are reminded
    yield stack
    stack = dispatch(stack, ExtendHold("A4"))  # it replaces a deadline that was committed before
    stack = dispatch(stack, SellSeat("A3"))
    yield stack
    yield due(stack, START + HOUR)


def begun(url: str) -> SQLEventStore:
    """A store with three holds, written with the same ids and times as any other."""
    store = SQLEventStore(url, holds)
    stack = theatre(event_store=store)
    for seat in ("A1", "A2", "A3"):
        stack = dispatch(stack, HoldSeat(seat))
    return store


def taken_up(store: Any) -> Stack:
    """The stack that goes on over a store, or over an overlay on one."""
    clock = ticking_clock("2026-01-01T00:01:00+00:00")
    return recover(theatre(event_store=store, clock=clock, ids=seeded_ids(8))).stack


@pytest.mark.parametrize("commits", ["after each act", "at the end", "to an overlay on it"])
def test_an_overlay_sets_takes_off_and_meets_deadlines_and_commits_them(tmp_path: Path, commits: str) -> None:
    with (
        begun(f"sqlite:///{tmp_path / 'direct.db'}") as direct,
        begun(f"sqlite:///{tmp_path / 'base.db'}") as base,
    ):
        before, committed = contents(base), 0
        below: Any = OverlayEventStore(base) if commits == "to an overlay on it" else base
        pairs = list(zip(acts(taken_up(direct)), acts(taken_up(OverlayEventStore(below))), strict=True))
        for on_it, above in pairs:
            assert above.deadlines == on_it.deadlines
        assert contents(base) == before
        for _, above in pairs if commits == "after each act" else pairs[-1:]:
            written = above.event_store.commit(after=committed)
            committed = above.event_store
            recovered = recover(process(written.store)).stack
            assert recovered.deadlines == above.deadlines
        if below is not base:
            written.store.commit()
        assert contents(base) == contents(direct)


def test_what_an_overlay_took_off_of_its_base_is_settled_in_it_only(store: SQLEventStore) -> None:
    dispatch(process(store), HoldSeat("A1"))
    reminder, expiry = recover(process(store)).stack.deadlines
    overlay = OverlayEventStore(store)
    run = recover(process(overlay))
    assert [*run.stack.deadlines] == [reminder, expiry]
    after = dispatch(run.stack, SellSeat("A1"))
    assert after.event_store.outcome_of(reminder.command_id) == CANCELLED
    with pytest.raises(AlreadySettled):
        after.event_store.settle(expiry, CANCELLED)
    assert not recover(process(after.event_store)).stack.deadlines
    assert store.outcome_of(reminder.command_id) is None
    assert overlay.next_due(["Holding"], START) == reminder.due_at
    assert overlay.deadlines_due(lambda name: None, ["Holding"], START + HOUR) == (reminder, expiry)
    after.event_store.commit()
    assert outcomes(store) == [("reminder", "cancelled"), ("ExpireHold", "cancelled")]


def test_a_commit_whose_deadline_another_process_cancelled_is_refused(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    dispatch(process(store), HoldSeat("A1"))
    reminder, _ = recover(process(store)).stack.deadlines
    above = due(recover(process(OverlayEventStore(store))).stack, START + timedelta(minutes=11))
    other.settle(reminder, CANCELLED)
    with pytest.raises(CommitConflict, match=r"cancelled"):
        above.event_store.commit()
    assert events(store) == ["SeatHeld"]


def test_a_lab_over_a_database_shows_its_deadlines_and_commits_what_became_of_them(url: str) -> None:
    with SQLEventStore(url, holds) as store:
        dispatch(process(store), HoldSeat("A1"))
    lab = Lab.attach(url, holds, clock=ticking_clock())
    assert [each.deadline for each in lab.stack.deadlines] == ["reminder", "ExpireHold"]
    lab.wait()
    lab.resume()
    lab.commit()
    with SQLEventStore(url, holds) as store:
        assert outcomes(store) == [("reminder", "accepted"), ("ExpireHold", None)]


def waited(holds_now: Callable[[], bool]) -> bool:
    """Whether something comes true within a while."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if holds_now():
            return True
        time.sleep(0.01)
    return False


def real(store: SQLEventStore, **fields: Any) -> Stack:
    """A stack with a real clock."""
    return Stack(event_store=store, **{"process_manager_types": (Holding,), **fields})


@pytest.mark.parametrize("kind", [DeadlineWorker, ProcessManagerWorker])
def test_a_worker_meets_deadlines_when_they_are_due(
    kind: type[DeadlineWorker], store: SQLEventStore, other: SQLEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "REMINDED", HOUR)
    monkeypatch.setattr(holds, "EXPIRED", HOUR)
    types = (Holding,) if kind is DeadlineWorker else ()  # of the process that dispatches
    with kind(real(other), look_every=60) as worker:
        stack = dispatch(real(store, process_manager_types=types), HoldSeat("A1"))
        assert waited(lambda: len(store.outbox) == 2)
        time.sleep(0.2)  # the worker sleeps towards that hour, and the next event wakes it
        monkeypatch.setattr(holds, "REMINDED", timedelta(seconds=0.2))
        monkeypatch.setattr(holds, "EXPIRED", timedelta(seconds=0.4))
        stack = dispatch(stack, HoldSeat("A2"))
        assert waited(lambda: events(store)[2:] == ["GuestReminded", "HoldExpired"])
        (held, reminded, expired) = list(store)[1:]
        assert reminded.recorded_at - held.recorded_at >= timedelta(seconds=0.2)
        assert expired.recorded_at - held.recorded_at >= timedelta(seconds=0.4)
        dispatch(stack, SellSeat("A1"))
        assert waited(lambda: [outcome for _, outcome in outcomes(store)][:2] == ["cancelled"] * 2)
        assert (worker.error, worker.failed, worker.running) == (None, (), True)
    assert not worker.running


def test_two_workers_meet_each_deadline_once(
    store: SQLEventStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "REMINDED", timedelta(0))
    monkeypatch.setattr(holds, "EXPIRED", timedelta(seconds=0.1))
    stack = real(store)
    for n in range(4):
        stack = dispatch(stack, HoldSeat(f"A{n}"))
    with (
        SQLEventStore(url, holds) as first,
        SQLEventStore(url, holds) as second,
        DeadlineWorker(real(first)),
        DeadlineWorker(real(second)),
    ):
        assert waited(lambda: all(outcome for _, outcome in outcomes(store)))
    assert sorted(events(store)) == sorted(["SeatHeld", "GuestReminded", "HoldExpired"] * 4)


def test_a_worker_sets_aside_what_raises_and_tries_it_again_with_the_next_event(
    store: SQLEventStore, other: SQLEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, broken = Seat.execute, [True]

    def execute(self: Any, command: Any) -> Any:
        if isinstance(command, RemindGuest) and broken[0]:
            raise KeyError("no such guest")
        return plain(self, command)

    monkeypatch.setattr(Seat, "execute", execute)
    monkeypatch.setattr(holds, "REMINDED", timedelta(0))
    monkeypatch.setattr(holds, "EXPIRED", HOUR)
    with DeadlineWorker(real(other)) as worker:
        stack = dispatch(real(store), HoldSeat("A1"))
        assert waited(lambda: len(worker.failed) == 1)
        (failure,) = worker.failed
        assert failure.pending is not None
        assert failure.pending.deadline == "reminder"
        assert "no such guest" in str(failure.error)
        broken[0] = False
        dispatch(stack, HoldSeat("A2"))
        assert waited(lambda: sorted(events(store)) == sorted(["SeatHeld", "GuestReminded"] * 2))
        assert waited(lambda: worker.failed == ())


def test_a_worker_ends_with_an_error_that_it_tells(url: str, store: SQLEventStore) -> None:
    dispatch(process(store), HoldSeat("A1"))
    with closing(connected(url)) as connection:
        connection.execute("UPDATE outbox SET command_type = 'Gone'")
        connection.commit()
    with SQLEventStore(url, holds) as other, DeadlineWorker(real(other)) as worker:
        assert waited(lambda: not worker.running)
        assert isinstance(worker.error, UnknownName)


def test_a_worker_is_ended_by_a_signal(tmp_path: Path) -> None:
    program = f"""
import signal, time
from calamity_lab import Stack, dispatch
from calamity_lab.stores import DeadlineWorker, SQLEventStore
from tests import holds

store = SQLEventStore("sqlite:///{tmp_path / "theatre.db"}", holds)
stack = dispatch(Stack(event_store=store, process_manager_types=[holds.Holding]), holds.HoldSeat("A1"))
worker = DeadlineWorker(stack)
signal.signal(signal.SIGTERM, lambda *_: worker.close())
print("begun", flush=True)
with worker:
    while worker.running:
        time.sleep(0.01)
print("ended", worker.error, len(store.outbox))
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    child.terminate()
    told, _ = child.communicate(timeout=60)
    assert (child.returncode, told) == (0, "ended None 2\n")


@pytest.mark.parametrize("wrong", [None, Stack(), Stack(process_manager_types=[Holding])])
def test_a_stack_that_has_no_deadlines_to_meet_is_told(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="DeadlineWorker needs a stack over a store"):
        DeadlineWorker(wrong)
    with (
        SQLEventStore("sqlite://", holds) as store,
        pytest.raises(InvalidValue, match=r"DeadlineWorker\(look_every=0\)"),
    ):
        DeadlineWorker(real(store), look_every=0)
