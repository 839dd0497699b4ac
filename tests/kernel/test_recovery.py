"""A stack whose process died goes on from its event store, as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import (
    BankAccount,
    CloseAccount,
    DepositFunds,
    FundsDeposited,
    FundsRefunded,
    FundsWithdrawn,
    RequestTransfer,
    Transfer,
    TransferCancelled,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.in_memory_stores import InMemorySnapshotStore, Snapshot
from calamity_lab.kernel.messages import Start, Stop, command
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import rebuild, recover, take_snapshots
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Refused
from calamity_lab.model import Model
from calamity_lab.stores import SQLEventStore
from tests.kernel.durable import durable, moments_of, new_store
from tests.kernel.outside import OutsideEvents
from tests.kernel.running import events, finish, stack_of, steps_of

BANK, SHOP = Model.find(bank), Model.find(fulfilment)
FUNDS = (DepositFunds("a", 100), DepositFunds("b", 1), DepositFunds("closed", 1))


def runs(stack: Stack, commands: Sequence[Any]) -> list[Run]:
    """The run at each moment of the commands, each submitted when those before are done."""
    taken = []
    for each in commands:
        run = begin(stack, each)
        taken.append(run)
        while not run.idle:
            _, run = advance(run)
            taken.append(run)
        stack = run.stack
    return taken


def restarted(store: SQLEventStore, model: Model, seed: object = "after", **given: Any) -> Run:
    """What a new process makes of an event store."""
    fresh = stack_of(*model.process_managers, event_store=store, ids=seeded_ids(str(seed)), **given)
    return recover(fresh, model.aggregates)


def told(stack: Stack) -> tuple[Any, ...]:
    """All events and where they stand, and all states with their versions."""
    recorded = [(r.event, r.stream_id, r.stream_version) for r in stack.event_store.stream(ALL)]
    return (
        recorded,
        dict(stack.aggregates),
        dict(stack.aggregate_versions),
        dict(stack.process_managers),
        {name: stack.process_manager_versions[name] for name in stack.process_managers},
    )


@pytest.mark.parametrize(
    ("model", "story"), [(BANK, bank.story()), (SHOP, fulfilment.story())], ids=["bank", "fulfilment"]
)
def test_a_process_that_dies_at_any_step_of_a_story_ends_it_as_if_nothing_had_happened(
    model: Model, story: Sequence[Any]
) -> None:
    stack = durable(*model.process_managers)
    for place, submitted in enumerate(story):
        before = len(stack.event_store)
        moments = moments_of(stack, [submitted])
        whole = moments[-1].run.stack
        ended = told(whole)
        for n, (_, store) in enumerate(moments):
            if len(store) == before:
                continue  # nothing is recorded: whoever submitted the command must submit it again
            _, after = finish(restarted(store, model, f"{place}-{n}"))
            assert told(after.stack) == ended, f"{submitted} after step {n}"
        stack = whole


def test_what_was_carried_out_is_not_run_twice_and_what_was_not_goes_on_the_agenda() -> None:
    moments = moments_of(durable(Transfer), [*FUNDS, RequestTransfer("t", "a", "b", 60)])
    owed = {
        len(store): [type(c).__name__ for c in restarted(store, BANK).agenda]
        for _, store in moments
        if len(store) > 2
    }
    assert owed == {3: [], 4: ["WithdrawFunds"], 5: ["DepositFunds"], 6: []}


def test_an_owed_command_has_the_id_and_the_causes_that_it_had() -> None:
    moments = moments_of(durable(Transfer), [DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60)])
    lost, store = next(
        (run.agenda.pending[0], store)
        for run, store in moments
        if run.agenda and run.agenda.pending[0].sender is not None
    )
    (found,) = restarted(store, BANK).agenda.pending
    assert replace(found, parent=None) == replace(lost, parent=None)
    assert found.causation_id == list(store)[1].event_id
    assert found.sender.type is Transfer


def test_a_refusal_that_was_answered_is_not_tried_again() -> None:
    closed = [DepositFunds("closed", 1), WithdrawFunds("closed", 1), CloseAccount("closed")]
    transfer = [DepositFunds("a", 100), RequestTransfer("t", "a", "closed", 60)]
    run = runs(durable(Transfer), [*closed, *transfer])[-1]
    assert type(events(run.stack)[-1]) is FundsRefunded
    assert restarted(run.stack.event_store, BANK).idle


def test_a_withdrawal_that_was_refused_and_cancelled_stays_so_when_money_has_come_in_since() -> None:
    stack = runs(durable(Transfer), [DepositFunds("a", 10)])[-1].stack
    run = begin(stack, RequestTransfer("t", "a", "b", 10), WithdrawFunds("a", 5))
    while len(run.agenda) != 2 or run.agenda.pending[0].sender is None:
        _, run = advance(run)
    _, run = finish(run.choose(1))  # somebody takes money out before the transfer does
    run = runs(run.stack, [DepositFunds("a", 100)])[-1]
    assert [type(event).__name__ for event in events(run.stack)][-2:] == [
        "TransferCancelled",
        "FundsDeposited",
    ]
    assert restarted(run.stack.event_store, BANK).idle


def test_it_stays_so_though_money_came_in_before_the_cancellation_was_recorded() -> None:
    store = new_store()
    stack = durable(Transfer, event_store=store)
    store.append("BankAccount-a", [FundsDeposited("a", 10)])
    run = begin(stack, RequestTransfer("t", "a", "b", 10))
    while TransferInitiated("t", "a", "b", 10) not in events(run.stack):
        _, run = advance(run)
    store.append("BankAccount-a", [FundsWithdrawn("a", 5)])  # others, while the transfer is under way
    while not isinstance(run.progress, Refused):
        _, run = advance(run)
    store.append("BankAccount-a", [FundsDeposited("a", 100)])
    _, run = finish(run)
    assert events(run.stack)[-1] == TransferCancelled("a", "t")
    assert restarted(run.stack.event_store, BANK).idle


def test_a_refusal_that_nobody_answers_is_not_tried_again_on_every_restart() -> None:
    careless = Model.of([BankAccount, Careless])
    run = runs(durable(Careless), [*FUNDS, RequestTransfer("t", "a", "b", 60)])[-1]
    assert restarted(run.stack.event_store, careless).idle


@given(st.integers(0, 10_000), st.data())
@settings(max_examples=60, deadline=None)
def test_any_traffic_that_is_cut_anywhere_ends_as_it_would_have(seed: int, data: st.DataObject) -> None:
    *before, last = bank.random_commands(12, seed=seed, accounts=3)
    stack = runs(durable(Transfer), before)[-1].stack
    there = len(stack.event_store)
    moments = moments_of(stack, [last])
    cut = data.draw(st.sampled_from(moments))
    if len(cut.store) > there:
        _, after = finish(restarted(cut.store, BANK))
        assert told(after.stack) == told(moments[-1].run.stack)


@pytest.mark.parametrize("mortal", [False, True])
@pytest.mark.parametrize("seed", range(16))
def test_processes_that_race_and_die_at_any_step_end_every_transfer_once(seed: int, mortal: bool) -> None:
    random, store, started = Random(seed), new_store(), count()

    def taken_up() -> Run:
        ids = seeded_ids(f"{next(started)} of {seed}")
        return recover(stack_of(Transfer, event_store=store, ids=ids, conflict_limit=1_000), [BankAccount])

    commands = list(bank.random_commands(40, seed=seed, accounts=3))
    processes = [taken_up() for _ in range(3)]
    while commands or not all(run.idle for run in processes):
        n = random.randrange(len(processes))
        if commands and (processes[n].idle or random.random() < 0.1):
            processes[n] = processes[n].submit(commands.pop(0))
        if mortal and random.random() < 0.03:
            processes[n] = taken_up()
        for _ in range(random.randint(1, 4)):
            if not processes[n].idle:
                _, processes[n] = advance(processes[n])
    last = taken_up()
    assert mortal or last.idle
    _, last = finish(last)
    causes = [r.causation_id for r in store.stream(ALL)]
    assert len(set(causes)) == len(causes), "a command was carried out twice"
    assert dict(last.stack.process_managers) == {}
    assert sum(account.balance for account in last.stack.aggregates.values()) == sum(
        event.amount * (1 if isinstance(event, FundsDeposited) else -1)
        for event in events(last.stack)
        if isinstance(event, FundsDeposited | FundsWithdrawn) and event.transfer_id is None
    )


def test_a_stack_is_rebuilt_with_every_aggregate_and_instance() -> None:
    run = runs(stack_of(*SHOP.process_managers), fulfilment.story())[-1]
    store = run.stack.event_store
    rebuilt = rebuild(Stack(event_store=store, process_manager_types=SHOP.process_managers), SHOP.aggregates)
    assert told(rebuilt) == told(run.stack)
    assert rebuilt.delivered_upto == (len(store),) * len(SHOP.process_managers)


def test_a_rebuilt_stack_hands_no_event_on_twice() -> None:
    run = runs(durable(Transfer), [*FUNDS, RequestTransfer("t", "a", "b", 60)])[-1]
    again = restarted(run.stack.event_store, BANK)
    steps, _ = finish(again.submit(RequestTransfer("u", "b", "a", 10)))
    assert [step.kind for step in steps if "Populated" in step.kind] == []


@dataclass(frozen=True)
class Careless:
    """A process manager that asks for too much, and has no answer to the refusal."""

    transfer_id: str

    @classmethod
    def interested(cls, event: object) -> Start | None:
        return Start(event.transfer_id) if isinstance(event, TransferInitiated) else None

    @classmethod
    def new(cls, transfer_id: str) -> Self:
        return cls(transfer_id)

    def apply(self, event: TransferInitiated) -> Self:
        return self

    def handle(self, event: TransferInitiated) -> WithdrawFunds:
        return WithdrawFunds(event.from_account, 1_000, event.transfer_id)


# Snapshots


def test_a_stack_rebuilt_from_snapshots_is_the_same_and_applies_only_what_came_after() -> None:
    early = runs(stack_of(Transfer), [*FUNDS, RequestTransfer("t", "a", "b", 60)])[-1]
    snapshots = take_snapshots(early, InMemorySnapshotStore())
    late = runs(early.stack, [DepositFunds("a", 7), RequestTransfer("u", "b", "a", 10)])[-1]
    marked = InMemorySnapshotStore(
        s._replace(state=replace(s.state, name="from the snapshot")) for s in snapshots
    )
    stack = Stack(event_store=late.stack.event_store, process_manager_types=(Transfer,))
    assert told(rebuild(stack, BANK.aggregates, snapshots=snapshots)) == told(late.stack)
    alone = Stack(event_store=late.stack.event_store)
    for described in (stack, alone):
        rebuilt = rebuild(described, BANK.aggregates, snapshots=snapshots)
        assert dict(rebuilt.aggregates) == dict(late.stack.aggregates)
        assert dict(rebuilt.aggregate_versions) == dict(late.stack.aggregate_versions)
        names = {a.name for a in rebuild(described, BANK.aggregates, snapshots=marked).aggregates.values()}
        assert names == {"from the snapshot"}, "the snapshots were not used"


@dataclass(frozen=True)
class Counted:
    """Something was counted."""

    id: str


@dataclass(frozen=True)
class Tally:
    """A process manager that never ends."""

    id: str
    count: int = 0

    @classmethod
    def interested(cls, event: object) -> Start | None:
        return Start(event.id) if isinstance(event, Counted) else None

    @classmethod
    def new(cls, id: str) -> Self:  # noqa: A002 - the contract's name
        return cls(id)

    def apply(self, event: Counted) -> Self:
        return replace(self, count=self.count + 1)

    def handle(self, event: Counted) -> None:
        return None


def test_an_instance_is_taken_up_from_its_snapshot() -> None:
    store = InMemoryEventStore().append("Counter-1", [Counted("x")] * 3)
    stack = rebuild(Stack(event_store=store, process_manager_types=(Tally,)))
    snapshots = take_snapshots(begin(stack), InMemorySnapshotStore())
    assert [(s.stream_id, s.version, s.position) for s in snapshots] == [("Tally-x", 3, 3)]
    marked = InMemorySnapshotStore(s._replace(state=replace(s.state, count=100)) for s in snapshots)
    more = Stack(event_store=store.append("Counter-1", [Counted("x")]), process_manager_types=(Tally,))
    assert rebuild(more, snapshots=marked).process_managers["Tally-x"].count == 101
    assert rebuild(more, snapshots=marked).process_manager_versions["Tally-x"] == 4


def test_what_an_instance_sent_is_owed_though_others_were_served_since() -> None:
    moments = moments_of(durable(Transfer), [*FUNDS, RequestTransfer("t", "a", "b", 60)])
    store = next(store for _, store in moments if len(store) == 5)
    dead = restarted(store, BANK)
    assert dead.agenda == [DepositFunds("b", 60, "t")]
    runs(replace(dead.stack), [RequestTransfer("u", "a", "b", 10)])
    assert restarted(store, BANK).agenda == dead.agenda


@pytest.mark.parametrize("wrong", ["event_id", "version"])
def test_a_snapshot_that_the_events_do_not_bear_out_is_left_aside(wrong: str) -> None:
    run = runs(stack_of(Transfer), FUNDS)[-1]
    falsify = {"event_id": "another", "version": 99}
    good = take_snapshots(run, InMemorySnapshotStore())
    bad = InMemorySnapshotStore(
        s._replace(state=replace(s.state, balance=-1), **{wrong: falsify[wrong]}) for s in good
    )
    stack = Stack(event_store=run.stack.event_store, process_manager_types=(Transfer,))
    assert told(rebuild(stack, BANK.aggregates, snapshots=bad)) == told(run.stack)


def test_an_instances_snapshot_from_beyond_the_end_of_the_history_is_left_aside() -> None:
    store = InMemoryEventStore().append("Counter-1", [Counted("x")] * 3)
    wrong = InMemorySnapshotStore([Snapshot("Tally-x", 9, 9, "beyond", Tally("x", 900))])
    stack = rebuild(Stack(event_store=store, process_manager_types=(Tally,)), snapshots=wrong)
    assert stack.process_managers["Tally-x"].count == 3


def test_no_snapshot_is_taken_while_commands_are_pending() -> None:
    with pytest.raises(InvalidValue, match="pending commands: 1"):
        take_snapshots(begin(stack_of(Transfer), DepositFunds("a", 1)), InMemorySnapshotStore())


def test_a_snapshot_store_keeps_the_latest_snapshot() -> None:
    early, late = Snapshot("A-1", 1, 1, "e1", Tally("1")), Snapshot("A-1", 2, 5, "e5", Tally("1", 1))
    store = InMemorySnapshotStore().put(late).put(early)
    assert store.get("A-1", Tally) == late
    assert store.get("A-1", BankAccount) is None


# Ids


@command(to="Numbered", by="number")
@dataclass(frozen=True)
class Count:
    """Count it."""

    number: int


@dataclass(frozen=True)
class Numbered:
    """An aggregate whose id is a whole number."""

    number: int
    count: int = 0

    @classmethod
    def new(cls, number: int) -> Self:
        return cls(number)

    def execute(self, command: Count) -> Counted:
        return Counted(str(command.number))

    def apply(self, event: Counted) -> Self:
        return replace(self, count=self.count + 1)


def test_an_id_that_is_a_whole_number_is_one_again_in_a_rebuilt_aggregate() -> None:
    _, stack = steps_of(stack_of(), Count(7))
    rebuilt = rebuild(Stack(event_store=stack.event_store), [Numbered])
    assert rebuilt.aggregates["Numbered-7"] == Numbered(7, 1)


def test_a_stream_id_that_is_no_id_of_its_type_is_told() -> None:
    store = InMemoryEventStore().append("Numbered-x", [Counted("x")])
    with pytest.raises(
        InvalidModel,
        match="takes an id of type int, but 'x' in the stream id 'Numbered-x' cannot be read as int",
    ):
        rebuild(Stack(event_store=store), [Numbered])


@pytest.mark.parametrize("given", [BankAccount, bank, ["BankAccount"], BankAccount("a")])
def test_aggregates_that_are_no_list_of_classes_are_told(given: Any) -> None:
    with pytest.raises(InvalidModel, match=r"give a list of classes, as in \[BankAccount\]"):
        recover(stack_of(Transfer), given)


def test_an_instance_that_was_stopped_stays_gone() -> None:
    run = runs(durable(Transfer), [*FUNDS, RequestTransfer("t", "a", "b", 60)])[-1]
    assert isinstance(Transfer.interested(events(run.stack)[-1]), Stop)
    assert dict(restarted(run.stack.event_store, BANK).stack.process_managers) == {}


class Growing(OutsideEvents):
    """An event store in which another process records the last event while the first reading goes on."""

    readings = 0

    def stream(self, stream_id: Any, *, start_version: int = 0, **how: Any) -> Any:
        there = list(super().stream(stream_id, start_version=start_version, **how))
        self.readings += start_version <= 1
        return iter(there[:-1] if self.readings == 1 and start_version <= 1 else there)


def test_an_instance_whose_snapshot_is_ahead_of_the_reading_takes_in_no_event_twice() -> None:
    store = Growing()
    store.append("Counter-1", [Counted("x")] * 3)
    last = list(store.held.stream(ALL))[-1]
    ahead = InMemorySnapshotStore([Snapshot("Tally-x", 3, 3, last.event_id, Tally("x", 3))])
    rebuilt = rebuild(Stack(event_store=store, process_manager_types=(Tally,)), snapshots=ahead)
    assert (rebuilt.process_managers["Tally-x"].count, rebuilt.delivered_upto) == (3, (3,))
