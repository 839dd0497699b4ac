"""Laws that hold for whatever is done, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank import BankAccount, Transfer, random_commands
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.folding import fold
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import begin, dispatch
from calamity_lab.kernel.stack import Stack
from tests.kernel.elixir import DepositFunds, FundsDeposited, WithdrawFunds
from tests.kernel.outside import OutsideAggregates, OutsideEvents
from tests.kernel.running import finish, stack_of

SIZES = st.one_of(st.integers(0, 70), st.sampled_from([1023, 1024, 1025, 1055, 1056, 1057, 2500]))


@given(
    size=SIZES,
    changes=st.lists(st.one_of(st.integers(-5, 1100), st.lists(st.integers(), max_size=40)), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_a_vector_is_a_list_that_never_changes(size: int, changes: list[Any]) -> None:
    versions: list[tuple[PersistentVector[int], list[int]]] = [
        (PersistentVector(range(size)), list(range(size)))
    ]
    for change in changes:  # a number takes so many items of some version, a list goes behind it
        vector, model = versions[(sum(change) if isinstance(change, list) else change) % len(versions)]
        if isinstance(change, list):
            versions.append((vector.extend(change), model + change))
            versions.append((vector.append(7), [*model, 7]))
        else:
            versions.append((vector.take(change), model[: max(change, 0)]))
    for vector, model in versions:
        assert len(vector) == len(model)
        assert list(vector) == model
        assert list(vector.backwards()) == model[::-1]
        assert vector == model
        for start in (0, 1, 31, 32, 33, len(model) - 1):
            assert list(vector.iterate(start)) == model[max(start, 0) :]
            assert list(vector.iterate(start, 40)) == model[max(start, 0) : 40]
            assert list(vector.backwards(max(start, 0))) == model[max(start, 0) :][::-1]
            assert vector[start:] == tuple(model[start:])
        if model:
            assert (vector[0], vector[-1], vector[len(model) // 2]) == (
                model[0],
                model[-1],
                model[len(model) // 2],
            )


KEYS = st.integers(0, 400).map(str)


@given(st.lists(st.tuples(st.sampled_from("id"), KEYS, st.integers(0, 30)), max_size=400))
@settings(max_examples=100, deadline=None)
def test_a_table_is_a_dict_that_never_changes(changes: list[tuple[str, str, int]]) -> None:
    versions: list[tuple[PersistentMap[int], dict[str, int]]] = [(PersistentMap(), {})]
    for verb, key, back in changes:
        table, model = versions[-1 - back % min(len(versions), 3)]
        if verb == "i":
            versions.append((table.insert(key, back), {**model, key: back}))
        else:
            versions.append((table.discard(key), {k: v for k, v in model.items() if k != key}))
    for table, model in versions[-30:]:
        assert dict(table) == model
        assert list(table) == sorted(model)
        assert len(table) == len(model)
        assert table == model
        assert all((key in table) == (key in model) for key in map(str, range(0, 400, 7)))


def pending(name: int) -> Pending:
    return Pending(name, f"id-{name}", "all")


class ListAgenda:
    """The agenda as one would write it with lists."""

    def __init__(self) -> None:
        self.caused: list[int] = []
        self.rest: list[int] = []

    @property
    def all(self) -> list[int]:
        return self.caused + self.rest

    def reorder(self, place: int, *, keep: bool) -> None:
        part, at = (self.caused, place) if place < len(self.caused) else (self.rest, place - len(self.caused))
        chosen = part.pop(at)
        if keep:
            self.caused.insert(0, chosen)


@given(st.lists(st.tuples(st.sampled_from(["submit", "cause", "take", "choose", "drop"]), st.integers(0, 9))))
@settings(max_examples=200, deadline=None)
def test_an_agenda_is_a_list_whose_caused_commands_come_first(changes: list[tuple[str, int]]) -> None:
    agenda, model, fresh = Agenda(), ListAgenda(), iter(range(10**6))
    for verb, number in changes:
        names = [next(fresh) for _ in range(number % 4)]
        if verb == "submit":
            agenda = agenda.submit([pending(name) for name in names])
            model.rest.extend(names)
        elif verb == "cause":
            agenda = agenda.cause([pending(name) for name in names])
            model.caused.extend(names)
        elif not model.all:
            continue
        elif verb == "take":
            first, agenda = agenda.take()
            model.rest, model.caused = model.all, []
            assert first.command == model.rest.pop(0)
        else:
            place = number % len(model.all)
            agenda = agenda.choose(place) if verb == "choose" else agenda.drop(place)
            model.reorder(place, keep=verb == "choose")
        assert list(agenda) == model.all
        assert len(agenda) == len(model.all)
        assert bool(agenda) == bool(model.all)
        assert [agenda[n] for n in range(len(agenda))] == model.all


TRAFFIC = st.builds(
    lambda seed, count: random_commands(count, seed=seed, accounts=3),
    st.integers(0, 10**6),
    st.integers(0, 40),
)


def told(stack: Stack) -> Any:
    """Everything that a stack shows, but for its ids."""
    return stack.aggregates, stack.process_managers, [recorded.event for recorded in stack.event_store]


@given(TRAFFIC)
@settings(max_examples=40, deadline=None)
def test_dispatch_is_advance_until_the_agenda_is_empty(commands: tuple[Any, ...]) -> None:
    stack = stack_of(Transfer)
    run = begin(stack)
    for command in commands:
        try:
            stack = dispatch(stack, command)
        except Rejected:
            continue
        _, run = finish(run.submit(command))
    assert run.stack == stack


@given(TRAFFIC)
@settings(max_examples=40, deadline=None)
def test_replaying_the_events_gives_the_same_aggregates_and_process_managers(
    commands: tuple[Any, ...],
) -> None:
    _, run = finish(begin(stack_of(Transfer), *commands))
    stack = run.stack
    fresh = stack_of(Transfer, event_store=list(stack.event_store))
    for stream_id, aggregate in stack.aggregates.items():
        history = [recorded.event for recorded in fresh.event_store.stream(stream_id)]
        identity = Identity(BankAccount, Identity.parse(stream_id).id)
        assert fresh.aggregates.apply(identity, history)[stream_id] == aggregate
        assert fold(BankAccount.new(identity.id), history) == aggregate
    probe = begin(fresh, *random_commands(30, seed=1, accounts=2))  # makes the managers matter
    went_on, caught_up = finish(probe)[1], finish(begin(stack, *random_commands(30, seed=1, accounts=2)))[1]
    assert went_on.stack.process_managers == caught_up.stack.process_managers
    assert went_on.stack.process_manager_versions == caught_up.stack.process_manager_versions


@given(TRAFFIC, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_every_event_is_handed_on_once_however_the_events_came_in(
    commands: tuple[Any, ...], random: Any
) -> None:
    """Some commands go through another stack without managers, as another writer's would."""
    _, run = finish(begin(stack_of(Transfer), *commands))
    written = list(run.stack.event_store)
    cut = random.randint(0, len(written))
    stack = stack_of(Transfer, event_store=written[:cut])
    _, run = finish(begin(stack, DepositFunds("x", 1)))
    for recorded in written[cut:]:
        store = run.stack.event_store.append(recorded.stream_id, [recorded.event])
        run = replace(run, stack=replace(run.stack, event_store=store))
        if random.random() < 0.3:
            _, run = finish(run.submit(*random_commands(2, seed=random.randint(0, 99), accounts=2)))
    whole = stack_of(Transfer, event_store=list(run.stack.event_store))
    probe = random_commands(6, seed=5, accounts=2)
    _, one = finish(run.submit(*probe))
    _, other = finish(begin(whole, *probe))
    assert dict(one.stack.process_managers) == dict(other.stack.process_managers)
    assert dict(one.stack.process_manager_versions) == dict(other.stack.process_manager_versions)


def another_writer(store: OutsideEvents) -> None:
    store.append("BankAccount-1", [FundsDeposited("1", 1), FundsDeposited("1", 2)])


@given(st.lists(st.tuples(st.sampled_from("dwo"), st.integers(1, 50)), max_size=25))
@settings(max_examples=100, deadline=None)
def test_a_store_outside_the_value_always_shows_what_is_recorded(moves: list[tuple[str, int]]) -> None:
    """d, w: a deposit or a withdrawal; o: one that another writer comes before."""
    aggregates, event_store = OutsideAggregates(), OutsideEvents()
    stack = stack_of(aggregates=aggregates, event_store=event_store)
    for move, amount in moves:
        if move == "o":
            event_store.meanwhile = another_writer
        try:
            stack = dispatch(stack, (WithdrawFunds if move == "w" else DepositFunds)("1", amount))
        except Rejected:
            continue
        history = [recorded.event for recorded in event_store.stream(ALL)]
        account = aggregates.get("BankAccount-1")
        assert account == fold(type(account).new("1"), history)
        assert stack.aggregate_versions["BankAccount-1"] == len(history)
