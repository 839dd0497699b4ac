"""Rejections that change instances, over stores that outlive them: the same states, whoever reads them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from calamity_lab import (
    Lab,
    RecordedEvent,
    Rejected,
    Run,
    Stack,
    advance,
    begin,
    dispatch,
    seeded_ids,
    ticking_clock,
)
from calamity_lab.errors import CommitConflict, InvalidModel, InvalidValue, StoreError, UnknownName
from calamity_lab.kernel.outbox import rejection
from calamity_lab.kernel.recorded import KeptRejection
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.steps import Appended, CaughtUp, Continued, Refused
from calamity_lab.model import Model
from calamity_lab.stores import OverlayEventStore, SQLEventStore
from tests.kernel.durable import copy_of, moments_of
from tests.kernel.running import finish
from tests.kernel.test_rejections_change_instances import (
    Close,
    Closed,
    Order,
    Ordered,
    Sell,
    Seller,
    Shop,
    Sold,
    SoldOut,
)
from tests.stores.sql.notes import connected, execute
from tests.stores.test_overlay_outbox import contents


@dataclass(frozen=True)
class Clerk(Seller):
    """A seller who writes all of it down, so that another order is another state."""

    log: tuple[Any, ...] = ()
    told = Seller.apply

    def apply(self, event: Ordered | Rejected, recorded: RecordedEvent) -> Any:
        noted = repr(event), getattr(event, "command", None), None if recorded is None else recorded.position
        return replace(self.told(event, recorded), log=(*self.log, noted))


MODEL = [Shop, Order, Sell, Close, Ordered, Sold, Closed, Clerk]


@pytest.fixture
def store(url: str) -> Any:
    with SQLEventStore(url, MODEL) as opened:
        yield opened


@pytest.fixture
def other(url: str) -> Any:
    """The store of another process."""
    with SQLEventStore(url, MODEL) as opened:
        yield opened


def shop(store: Any = None, seed: int | None = 7) -> Stack:
    """A stack with a clerk, over a store or in memory."""
    given = {} if store is None else {"event_store": store}
    ids = {} if seed is None else {"ids": seeded_ids(seed)}
    return Stack(process_manager_types=[Clerk], clock=ticking_clock(), **ids, **given)


def orders(seed: int, count: int = 8) -> list[Any]:
    """Orders of two shops, of which some cannot be carried out; now and then a shop is closed."""
    random = Random(seed)
    return [
        Close(random.choice("12"))
        if random.random() < 0.15
        else Order(random.choice("12"), tuple([random.randint(1, 7) for _ in range(random.randint(0, 3))]))
        for _ in range(count)
    ]


def carried_out(stack: Stack, commands: list[Any]) -> Stack:
    for command in commands:
        stack = dispatch(stack, command)
    return stack


def found(store: Any) -> dict[str, Any]:
    """The instances as a process finds them that is started now."""
    return dict(recover(shop(store, None)).stack.process_managers)


def test_the_states_are_those_of_a_stack_in_memory_wherever_they_are_read(
    store: SQLEventStore, url: str
) -> None:
    expected = dict(carried_out(shop(), orders(3, 16)).process_managers)
    assert sum(len(each.missed) for each in expected.values()) > 3
    stack = carried_out(shop(store), orders(3, 16))
    assert dict(stack.process_managers) == expected == found(store)
    assert dict(rebuild(shop(store)).process_managers) == expected
    overlay = OverlayEventStore(store)
    assert found(overlay) == found(OverlayEventStore(overlay)) == expected
    lab = Lab.attach(url, Model.of(MODEL))
    assert {name: lab.process_managers[name] for name in expected} == expected


def test_a_process_that_is_started_after_a_crash_at_any_moment_comes_to_the_same_states() -> None:
    with SQLEventStore("sqlite://", MODEL) as store:
        moments = moments_of(shop(store), orders(5))
        after = {0: dict[str, Any]()}
        after |= {len(m.store): dict(m.run.stack.process_managers) for m in moments if m.run.idle}
        assert len(moments) > 50
        for moment in moments:
            _, run = finish(recover(shop(moment.store, 8)))
            assert dict(run.stack.process_managers) == after[len(moment.store)] == found(moment.store)
            moment.store.close()


@pytest.mark.parametrize("height", [1, 2])
@pytest.mark.parametrize("every", [1, 4, 8])
def test_an_overlay_comes_to_the_same_states_and_commits_them(height: int, every: int) -> None:
    with SQLEventStore("sqlite://", MODEL) as direct:
        carried_out(shop(direct), orders(1, 5))
        with copy_of(direct) as base:
            below = base if height == 1 else OverlayEventStore(base)
            on_it, above = [recover(shop(each, 8)).stack for each in (direct, OverlayEventStore(below))]
            committed: Any = 0
            for n, command in enumerate(orders(2), 1):
                on_it, above = dispatch(on_it, command), dispatch(above, command)
                assert above.process_managers == on_it.process_managers
                if n % every == 0:
                    _, below = above.event_store.commit(after=committed, to=below)
                    committed = above.event_store
                    assert found(below) == dict(on_it.process_managers)
            if height == 2:
                below.commit()
            assert contents(base) == contents(direct)


def test_a_commit_is_refused_where_another_rejection_changed_an_instance(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    run = begin(shop(store), Order("1", (9,)))
    run = until(run, Refused)
    above = dispatch(recover(shop(OverlayEventStore(other), 8)).stack, Order("2", (1,)))
    below = recover(shop(OverlayEventStore(other), 8))
    higher = dispatch(recover(shop(OverlayEventStore(below.stack.event_store), 9)).stack, Order("2", (1,)))
    with pytest.raises(CommitConflict, match="Clerk"):
        higher.event_store.commit(to=until(below, Continued).stack.event_store)
    until(run, Continued)  # nothing but the rejection is new
    there = contents(store)
    with pytest.raises(CommitConflict, match="Clerk"):
        above.event_store.commit()
    assert contents(store) == there


def until(run: Run, kind: type) -> Run:
    """The run after the next step of that kind."""
    while True:
        step, run = advance(run)
        if isinstance(step, kind):
            return run


def test_a_rejection_comes_after_the_event_that_another_process_handed_on_before(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    run = until(begin(shop(store), Order("1", (9,))), Refused)
    elsewhere = dispatch(shop(other, 8), Order("1", (2,)))
    steps, run = finish(run)
    assert [type(step) for step in steps][:2] == [CaughtUp, Continued]
    clerk = run.stack.process_managers["Clerk-1"]
    assert [noted[2] for noted in clerk.log] == [1, 2, 1]
    assert found(store) == dict(run.stack.process_managers)
    elsewhere = dispatch(elsewhere, Order("1", ()))
    assert found(store) == dict(elsewhere.process_managers)


def test_an_event_is_handed_on_after_the_rejection_that_another_process_met_before(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    run = until(begin(shop(store), Order("1", (9,))), Refused)
    _, elsewhere = finish(replace(recover(shop(other, 8)), agenda=Run(shop()).agenda))
    waiting = until(begin(elsewhere.stack, Order("1", ())), Appended)
    steps, run = finish(run)
    steps, waiting = finish(waiting)
    assert CaughtUp in [type(step) for step in steps]
    clerk = waiting.stack.process_managers["Clerk-1"]
    assert [noted[2] for noted in clerk.log][:2] == [1, 1]
    assert found(store) == dict(waiting.stack.process_managers)


@pytest.mark.parametrize("seed", range(5))
def test_processes_that_get_in_one_anothers_way_come_to_the_same_states(
    store: SQLEventStore, other: SQLEventStore, seed: int
) -> None:
    random = Random(seed)
    runs = [begin(shop(each, n), *orders(seed + 10 * n, 4)) for n, each in enumerate((store, other))]
    while not all(run.idle for run in runs):
        n = random.randrange(2)
        for _ in range(random.randint(1, 4)):
            if not runs[n].idle:
                _, runs[n] = advance(runs[n])
    states = found(store)
    for n, run in enumerate(runs):
        stack = dispatch(run.stack, Order(f"last {n}", ()))
        assert {name: stack.process_managers[name] for name in states} == states
    kept = store.rejections(lambda _: None, "Clerk").kept
    assert {each.command_id for each in kept} <= {
        e.command_id for e in store.outbox if e.outcome == "rejected"
    }
    for name, state in states.items():
        assert len([each for each in kept if each.stream_id == name]) == len(state.missed)


def test_a_mark_that_is_moved_back_leaves_the_states(store: SQLEventStore) -> None:
    stack = carried_out(shop(store), orders(3))
    states = dict(stack.process_managers)
    for position in (5, 0, 2):
        store.move_mark("Clerk", position)
        above = recover(shop(OverlayEventStore(store), 9)).stack
        assert dict(above.process_managers) == states
        assert dict(recover(shop(store, 8)).stack.process_managers) == states
        assert found(store) == states
    store.move_mark("Clerk", 2)
    stack = dispatch(stack, Order("3", ()))  # the stack that had come further
    assert dict(stack.process_managers) == found(store)
    assert {name: stack.process_managers[name] for name in states} == states


def test_what_is_kept_of_a_rejection_is_what_the_instance_is_given(store: SQLEventStore) -> None:
    given = Rejected("no", at=ticking_clock("2026-01-01").read()[0], pair=(1, 2))
    assert store.as_kept(given) == given
    assert store.as_kept(Rejected("no", thing=object)).details == {"thing": "object"}


class Choosy(Clerk):
    def apply(self, event: Ordered | SoldOut, recorded: RecordedEvent) -> Any:  # type: ignore[override]
        return self


def test_a_store_that_refuses_a_rejection_for_no_reason_is_told_so(
    store: SQLEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = store.settle
    refused = lambda *given, **more: None if more.get("kept") else settle(*given, **more)  # noqa: E731
    monkeypatch.setattr(store, "settle", refused)
    with pytest.raises(StoreError, match=r"settle\(.*number 1 of Clerk at position 1.* the mark is at 1 and"):
        carried_out(shop(store), [Order("1", (9,))])


def test_a_class_that_names_a_subclass_of_rejected_is_refused_by_name(store: SQLEventStore) -> None:
    problem = r"Choosy.apply takes SoldOut, but {} keeps each rejection as a plain .* Name Rejected itself"
    for over in (store, OverlayEventStore(store)):
        with pytest.raises(InvalidModel, match=problem.format(type(over).__name__)):
            Stack(process_manager_types=[Choosy], event_store=over)
    assert Stack(process_manager_types=[Choosy]).process_manager_types == (Choosy,)


def test_what_does_not_fit_is_refused_and_changes_nothing(store: SQLEventStore) -> None:
    run = until(begin(shop(store), Order("1", (9,))), Refused)
    pending = run.progress.pending
    there, rejected = contents(store), Rejected("no")
    kept = KeptRejection("Clerk-1", 1, 1, pending.command_id, rejected, None)
    for wrong in (kept._replace(position=0), kept._replace(number=2)):
        assert store.settle(pending, rejection(rejected), kept=wrong) is None
        assert OverlayEventStore(store).settle(pending, rejection(rejected), kept=wrong) is None
    assert store.hand_on("Clerk", 1, 2, [], [], rejections=1) is None
    assert OverlayEventStore(store).hand_on("Clerk", 1, 1, [], [], rejections=1) is None
    assert contents(store) == there
    with pytest.raises(InvalidValue, match=r"settle\(kept="):
        store.settle(pending, rejection(rejected), kept="Clerk-1")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match=r"hand_on\(rejections="):
        store.hand_on("Clerk", 1, 2, [], [], rejections="1")  # type: ignore[arg-type]


def test_a_rejected_command_whose_class_is_gone_is_told(store: SQLEventStore, url: str) -> None:
    dispatch(shop(store), Order("1", (9,)))
    execute(url, "UPDATE outbox SET command_type = 'Gone' WHERE outcome = 'rejected'")
    with pytest.raises(UnknownName, match=r"a command 'Gone' of Clerk-1 is rejected in .* keep its name"):
        recover(shop(store))
    with pytest.raises(UnknownName, match="a command 'Gone' of Clerk-1"):
        recover(shop(OverlayEventStore(store)))


def test_a_database_of_before_gets_the_tables_when_it_is_opened(url: str) -> None:
    with SQLEventStore(url, MODEL) as store:
        before = dict(dispatch(shop(store), Order("1", ())).process_managers)
    with closing(connected(url)) as connection:
        for name in ("taken_rejections", "rejection_marks"):
            connection.execute(f"DROP TABLE {name}")
        connection.commit()
    with SQLEventStore(url, MODEL, read_only=True) as store:
        assert found_read_only(store) == before
    with SQLEventStore(url, MODEL) as store:
        stack = dispatch(recover(shop(store, 8)).stack, Order("1", (9,)))
        assert found(store) == dict(stack.process_managers)


def found_read_only(store: SQLEventStore) -> dict[str, Any]:
    return dict(recover(shop(OverlayEventStore(store))).stack.process_managers)
