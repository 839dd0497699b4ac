"""An overlay on a store with marks and an outbox: a commit leaves the store as a run on it would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import AlreadySettled, CommitConflict, InvalidValue
from calamity_lab.examples.bank import CreateAccount, DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel import outbox
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import changed
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.stores.sql import SQLEventStore
from tests.kernel.durable import copy_of, durable, new_store
from tests.kernel.running import finish, only, steps_of
from tests.stores.scripts import TYPES, new_stack, scripts

OPENED = (CreateAccount("a"), CreateAccount("b"), DepositFunds("a", 100))
MOVED = RequestTransfer("t", "a", "b", 30)
_LATER = "later"  # the seed of what is decided after a crash


def contents(store: SQLEventStore) -> dict[str, list[Any]]:
    """All that a database has, but for the order in which commands came into the outbox."""
    tables = {
        "events": "position, stream_id, stream_version, event_id, event_type, correlation_id, causation_id, "
        "recorded_at, metadata, payload",
        "process_managers": "name, position",
        "outbox": "command_id, command_type, type_version, payload, sender, cause, correlation_id, depth, "
        "metadata, due_at, deadline, outcome, coalesce(reason, ''), details",
        "deliveries": "process_manager, stream_id, position, verb, version",
        "ended": "process_manager, stream_id, position, version",
        "taken_rejections": "process_manager, stream_id, position, number, command_id",
        "rejection_marks": "name, number",
        "last_position": "position",
    }
    return {
        table: sorted(store._database.rows(f"SELECT {columns} FROM {table}", {}, "read from"), key=repr)
        for table, columns in tables.items()
    }


def advanced(run: Run, count: int) -> Run:
    """The run after so many steps, if there are so many."""
    for _ in range(count):
        if not run.idle:
            _, run = advance(run)
    return run


def crashed(store: SQLEventStore, number: int, count: int) -> None:
    """Leave a store in the middle of a script, after so many steps."""
    (script,) = scripts(1, start=number)
    advanced(begin(new_stack(store, seed="earlier"), *script.commands), count)


def recovered(store: Any, number: int, seed: str = _LATER) -> Run:
    """The run that goes on from a store, with the commands of a further script."""
    (script,) = scripts(1, start=number)
    return recover(new_stack(store, seed=seed)).submit(*script.commands)


def check_commits(direct: SQLEventStore, base: SQLEventStore, number: int, counts: list[int]) -> None:
    """Demand that commits after so many steps each leave the base as the run on the other store does."""
    on_it, above = recovered(direct, number), recovered(OverlayEventStore(base), number)
    committed: Any = 0
    for count in counts:
        on_it, above = advanced(on_it, count), advanced(above, count)
        above.stack.event_store.commit(after=committed)
        committed = above.stack.event_store
        assert contents(base) == contents(direct)
    for store in (direct, base):
        finish(recover(new_stack(store, seed="last")))
    assert contents(base) == contents(direct)
    assert recover(new_stack(base, seed="once more")).idle


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 400),
    st.integers(0, 80),
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.sampled_from([0, 10_000]),
)
def test_commits_at_any_moments_leave_the_base_as_a_run_on_it_does(
    number: int, before: int, counts: list[int], last: int
) -> None:
    direct = SQLEventStore("sqlite://", TYPES)
    crashed(direct, number + 1000, before)
    check_commits(direct, copy_of(direct), number, [*counts, last])


@pytest.mark.parametrize("number", [3, 4, 9])
def test_commits_to_postgresql_leave_it_as_a_run_on_it_does(
    postgres_urls: Iterator[str], number: int
) -> None:
    direct, base = [SQLEventStore(next(postgres_urls), TYPES) for _ in range(2)]
    with direct, base:
        for store in (direct, base):
            crashed(store, number + 1000, 17)
        other = advanced(recovered(OverlayEventStore(base), number, "other"), 30)
        check_commits(direct, base, number, [13, 1, 22, 10_000])
        with pytest.raises(CommitConflict):
            other.stack.event_store.commit()
        assert contents(base) == contents(direct)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 400), st.integers(0, 80), st.integers(0, 60), st.integers(0, 60))
def test_of_two_that_recover_at_once_one_commits_and_nothing_is_carried_out_twice(
    number: int, before: int, first: int, second: int
) -> None:
    direct = SQLEventStore("sqlite://", TYPES)
    crashed(direct, number, before)
    base = copy_of(direct)
    one, other = [recover(new_stack(OverlayEventStore(base), seed=seed)) for seed in ("one", "other")]
    finish(recover(new_stack(direct, seed="one")))
    advanced(one, first).stack.event_store.commit()
    there = contents(base)
    written = True
    try:
        advanced(other, second).stack.event_store.commit()
    except CommitConflict:
        written = False
    assert written or contents(base) == there
    finish(recover(new_stack(base, seed="last")))
    assert [(r.stream_id, r.event) for r in base] == [(r.stream_id, r.event) for r in direct]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 400), st.integers(0, 80), st.integers(1, 60), st.integers(0, 60))
def test_an_overlay_on_an_overlay_commits_to_it_and_then_to_the_base(
    number: int, before: int, count: int, more: int
) -> None:
    direct = SQLEventStore("sqlite://", TYPES)
    crashed(direct, number + 1000, before)
    base = copy_of(direct)
    on_it = advanced(recovered(direct, number), count + more)
    lower = advanced(recovered(OverlayEventStore(base), number), count)
    upper = OverlayEventStore(lower.stack.event_store)
    above = advanced(replace(lower, stack=changed(lower.stack, event_store=upper, prepared=None)), more)
    _, merged = above.stack.event_store.commit()
    assert tuple(above.stack.event_store) == tuple(merged) == tuple(on_it.stack.event_store)
    assert contents(base)["events"] != contents(direct)["events"] or not merged.own
    merged.commit()
    assert contents(base) == contents(direct)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 400), st.integers(0, 80), st.integers(0, 60))
def test_a_commit_can_be_repeated_and_writes_nothing_twice(number: int, before: int, count: int) -> None:
    base = SQLEventStore("sqlite://", TYPES)
    crashed(base, number, before)
    overlay = advanced(recover(new_stack(OverlayEventStore(base))), count).stack.event_store
    events, _ = overlay.commit()
    there = contents(base)
    assert overlay.commit().events == events
    assert contents(base) == there


def halfway() -> SQLEventStore:
    """A store with a transfer of which nothing was carried out but the request."""
    stack = durable(Transfer)
    _, stack = steps_of(stack, *OPENED)
    run = begin(stack, MOVED)
    while run.progress is not None or run.agenda[0] is MOVED:
        _, run = advance(run)
    store: SQLEventStore = stack.event_store
    return store


def over(base: Any, seed: str = _LATER, **given: Any) -> Run:
    """A recovered run in an overlay."""
    return recover(durable(Transfer, event_store=OverlayEventStore(base), ids=seeded_ids(seed), **given))


def test_an_overlay_is_durable_where_its_base_is() -> None:
    base = halfway()
    assert outbox.is_durable(OverlayEventStore(base))
    assert outbox.is_durable(OverlayEventStore(OverlayEventStore(base)))
    assert not outbox.is_durable(OverlayEventStore(InMemoryEventStore()))
    assert not outbox.is_durable(OverlayEventStore(OverlayEventStore(InMemoryEventStore())))


def test_an_overlay_shows_the_marks_and_the_outbox_of_its_base_and_does_not_change_them() -> None:
    base = halfway()
    there = contents(base)
    overlay: Any = OverlayEventStore(base)
    find = outbox.classes_near([Transfer])
    (pending,) = overlay.outstanding(find, ["Transfer"])
    assert overlay.marks() == base.marks() == ({"Transfer": 4}, 4)
    assert overlay.deliveries("Transfer") == base.deliveries("Transfer")
    assert list(overlay.events_at([4, 2])) == list(base.events_at([2, 4]))
    assert overlay.depths([pending.command_id, "?"]) == {pending.command_id: 1}
    settled = overlay.settle(pending, outbox.Outcome("dropped", "no longer wanted"))
    assert settled.outcome_of(pending.command_id) == outbox.Outcome("dropped", "no longer wanted")
    assert (settled.outstanding(find, ["Transfer"]), overlay.outcome_of(pending.command_id)) == ((), None)
    with pytest.raises(AlreadySettled):
        settled.settle(pending, outbox.WITHOUT_EVENTS)
    assert overlay.hand_on("Transfer", 3, 4, (), ()) is None
    moved = settled.hand_on("Transfer", 4, 4, (outbox.Delivery("Transfer-u", 4, "started", 1),), ())
    assert [d.stream_id for d in moved.deliveries("Transfer")] == ["Transfer-t", "Transfer-u"]
    assert contents(base) == there
    base.settle(pending, outbox.WITHOUT_EVENTS)
    assert [p.command_id for p in overlay.outstanding(find, ["Transfer"])] == [pending.command_id]


def test_what_is_pending_in_an_overlay_is_outstanding_in_the_base_after_the_commit() -> None:
    base = new_store()
    _, stack = steps_of(durable(Transfer, event_store=OverlayEventStore(base)), *OPENED)
    run = begin(stack, MOVED)
    while run.progress is not None or run.agenda[0] is MOVED:
        _, run = advance(run)
    run.stack.event_store.commit()
    again = recover(durable(Transfer, event_store=base, ids=seeded_ids("again")))
    assert [p.command_id for p in again.agenda.pending] == [p.command_id for p in run.agenda.pending]
    _, done = finish(again)
    assert [r.event_type for r in done.stack.event_store.stream(ALL, start_version=5)] == [
        "FundsWithdrawn",
        "FundsDeposited",
    ]


def test_a_command_that_was_settled_meanwhile_is_named_and_nothing_is_written() -> None:
    base = halfway()
    _, run = finish(over(base))
    (entry,) = [entry for entry in base.outbox if entry.outcome is None]
    base.drop(entry.command_id, reason="no longer wanted")
    there = contents(base)
    with pytest.raises(CommitConflict, match=r"were settled meanwhile: \S+ \(dropped\); attach") as caught:
        run.stack.event_store.commit()
    assert caught.value.settled == {entry.command_id: outbox.Outcome("dropped", "no longer wanted")}
    assert contents(base) == there


def test_a_mark_that_was_moved_meanwhile_is_named_and_nothing_is_written() -> None:
    base = new_store()
    steps_of(durable(Transfer, event_store=base), *OPENED)
    _, other = steps_of(
        durable(Transfer, event_store=OverlayEventStore(base), ids=seeded_ids("other")), MOVED
    )
    steps_of(durable(Transfer, event_store=base, ids=seeded_ids("here")), DepositFunds("b", 1))
    there = contents(base)
    with pytest.raises(CommitConflict) as caught:
        other.event_store.commit()
    assert (contents(base), caught.value.streams) == (there, {"BankAccount-b": (1, 2)})
    _, other = steps_of(
        durable(Transfer, event_store=OverlayEventStore(base), ids=seeded_ids("another")), MOVED
    )
    steps_of(durable(Transfer, event_store=base, ids=seeded_ids("there")), CreateAccount("c"))
    there = contents(base)
    with pytest.raises(
        CommitConflict, match=r"were handed events meanwhile: Transfer \(built on position 4, now 5\); attach"
    ) as caught:
        other.event_store.commit()
    assert (contents(base), caught.value.marks) == (there, {"Transfer": (4, 5)})


def test_events_that_nobody_handed_on_meanwhile_are_to_be_handed_on_first() -> None:
    base = new_store()
    _, stack = steps_of(durable(Transfer, event_store=base), *OPENED)
    _, other = steps_of(
        durable(Transfer, event_store=OverlayEventStore(base), ids=seeded_ids("other")), MOVED
    )
    base.append("Note-1", [next(iter(base)).event])
    there = contents(base)
    with pytest.raises(CommitConflict, match=r"not handed: Transfer; carry out recover\(\.\.\.\) .* attach"):
        other.event_store.commit()
    assert contents(base) == there
    assert stack.event_store is base


def test_events_of_no_interest_are_committed_wherever_the_mark_is() -> None:
    base = new_store()
    steps_of(durable(Transfer, event_store=base), *OPENED)
    overlay = OverlayEventStore(base)
    _, first = steps_of(durable(Transfer, event_store=overlay, ids=seeded_ids("1")), CreateAccount("c"))
    _, second = steps_of(durable(Transfer, event_store=overlay, ids=seeded_ids("2")), CreateAccount("d"))
    first.event_store.commit()
    assert base.marks() == ({"Transfer": 4}, 4)
    second.event_store.commit()
    assert base.marks() == ({"Transfer": 5}, 5)
    base.append("Note-1", [next(iter(base)).event])
    _, third = steps_of(durable(Transfer, event_store=overlay, ids=seeded_ids("3")), CreateAccount("e"))
    third.event_store.commit()
    assert base.marks() == ({"Transfer": 5}, 7)
    assert recover(durable(Transfer, event_store=base)).idle


def test_a_process_manager_begins_anew_where_an_overlay_stands_before_its_mark() -> None:
    base = halfway()
    finish(recover(durable(Transfer, event_store=base, ids=seeded_ids("done"))))
    overlay: Any = OverlayEventStore(base, position=4)
    assert overlay.marks() == ({}, 4)
    stack = outbox.taken_in(durable(Transfer, event_store=overlay), 0)
    assert stack.process_managers["Transfer-t"].stage == "initiated"
    _, stack = steps_of(stack, CreateAccount("c"))
    stack.event_store.commit()
    assert base.marks() == ({"Transfer": 7}, 7)
    there = contents(base)
    _, stack = steps_of(
        durable(Transfer, event_store=overlay, ids=seeded_ids("new")), CreateAccount("d"), MOVED
    )
    with pytest.raises(CommitConflict):
        stack.event_store.commit()
    assert contents(base) == there


def test_a_number_of_events_does_not_say_what_of_the_outbox_was_committed() -> None:
    base = halfway()
    steps, run = finish(over(base))
    assert only(type(steps[0]), steps[:1]).pending.sender is not None
    overlay = run.stack.event_store
    with pytest.raises(
        InvalidValue, match=r"give the overlay that was committed, as in commit\(after=overlay"
    ):
        overlay.commit(after=1)
    assert len(base) == 4
