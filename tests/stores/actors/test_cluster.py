"""Actors on a cluster: what is sent, where they live, and what goes wrong there."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import ModuleType
from typing import Any, Self
from uuid import UUID

import pytest
from distributed import Client, LocalCluster

from calamity_lab.errors import (
    InvalidModel,
    InvalidValue,
    MissingExtra,
    ModelError,
    Rejected,
    SerializationError,
    StoreUnavailable,
)
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import Start
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.cluster import ClusterActors
from calamity_lab.stores.actors.placement import one_for_all, one_for_each, whereabouts
from calamity_lab.stores.actors.worker import class_at, path_of
from calamity_lab.testing.aggregate_store_conformance import AggregateStoreConformance
from calamity_lab.testing.process_manager_store_conformance import ProcessManagerStoreConformance
from tests.kernel.running import stack_of, steps_of
from tests.stores.actors.bank_at_work import demand_order, move_money


@pytest.fixture
def actors(client: Any) -> Iterator[ClusterActors]:
    with ClusterActors(client) as actors:
        yield actors


class OnCluster:
    """Each store has actors of its own, all on the workers of one cluster."""

    @pytest.fixture(autouse=True)
    def cluster(self, client: Any) -> None:
        self.client = client

    def stack(self, types: tuple[type, ...]) -> Stack:
        self.actors = ClusterActors(self.client, types)
        return one_for_each(Stack(), self.actors)

    def close(self, store: Any) -> None:
        self.actors.close()


class TestAnActorForEachAggregate(OnCluster, AggregateStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> Any:
        return self.stack(types).aggregates


class TestAnActorForEachInstance(OnCluster, ProcessManagerStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> Any:
        return self.stack(types).process_managers


@dataclass(frozen=True)
class Weigh:
    item: Any
    at: date
    parcel: UUID

    def aggregate(self) -> tuple[type, UUID]:
        return Parcel, self.parcel


@dataclass(frozen=True)
class Weighed:
    item: Any
    at: date


class TooHeavy(Rejected):
    """A refusal of the model's own."""


@dataclass(frozen=True)
class Parcel:
    """Whose id is no text, and whose fields hold what JSON has no word for."""

    id: UUID
    items: tuple[Any, ...] = ()

    @classmethod
    def new(cls, id_: UUID) -> Self:
        assert isinstance(id_, UUID)
        return cls(id_)

    def execute(self, command: Weigh) -> list[Weighed]:
        if command.item == Decimal(0):
            raise ArithmeticError("no weight")
        if isinstance(command.item, Decimal) and command.item > 9:
            raise TooHeavy("too heavy", by=command.item - 9, so_far=self.items)
        return [Weighed(command.item, command.at)] * 2

    def apply(self, event: Weighed) -> Self:
        return replace(self, items=(*self.items, event.item))


@dataclass(frozen=True)
class Scales:
    """A process manager that sums up what was weighed in a year."""

    year: int
    sum: Decimal = Decimal(0)

    @classmethod
    def interested(cls, event: Weighed) -> Start:
        return Start(event.at.year)

    @classmethod
    def new(cls, id_: int) -> Self:
        return cls(id_)

    def apply(self, event: Weighed) -> Self:
        return replace(self, sum=self.sum + event.item)

    def handle(self, event: Weighed) -> None:
        if self.sum > 30:
            raise OverflowError("the scales are full")


PARCEL, DAY = UUID(int=7), date(2026, 3, 2)


def test_values_of_any_kind_come_back_as_they_went(actors: ClusterActors) -> None:
    stack = one_for_each(stack_of(Scales), actors)
    commands = [Weigh(Decimal("1.50"), DAY, PARCEL), Weigh(Decimal(3), date(2027, 1, 1), PARCEL)]
    steps, after = steps_of(stack, *commands)
    wanted_steps, wanted = steps_of(stack_of(Scales), *commands)
    assert steps == wanted_steps
    assert dict(after.aggregates) == dict(wanted.aggregates)
    assert dict(after.process_managers) == dict(wanted.process_managers)
    assert after.process_managers["Scales-2026"] == Scales(2026, Decimal("3.00"))


def test_a_refusal_comes_with_its_class_its_details_and_its_command(actors: ClusterActors) -> None:
    stack = dispatch(one_for_each(stack_of(), actors), Weigh(Decimal(1), DAY, PARCEL))
    with pytest.raises(TooHeavy) as refused:
        dispatch(stack, Weigh(Decimal("9.5"), DAY, PARCEL))
    assert refused.value.reason == "too heavy"
    assert refused.value.details == {"by": Decimal("0.5"), "so_far": (Decimal(1), Decimal(1))}
    assert refused.value.command == Weigh(Decimal("9.5"), DAY, PARCEL)


def test_a_model_that_breaks_is_told_with_its_cause_and_its_actor_goes_on(actors: ClusterActors) -> None:
    stack = dispatch(one_for_each(stack_of(Scales), actors), Weigh(Decimal(8), DAY, PARCEL))
    with pytest.raises(ModelError, match=r"Parcel.execute raised ArithmeticError: no weight") as broken:
        dispatch(stack, Weigh(Decimal(0), DAY, PARCEL))
    assert isinstance(broken.value.__cause__, ArithmeticError)
    with pytest.raises(ModelError, match=r"Scales.handle raised OverflowError: the scales") as broken:
        dispatch(stack, Weigh(Decimal(9), DAY, PARCEL))
    assert isinstance(broken.value.__cause__, OverflowError)
    assert stack.process_managers.shared.read("Scales-2026").sum == Decimal(25)
    assert len(stack.aggregates.get(Identity(Parcel, PARCEL)).items) == 4


def test_what_cannot_be_written_as_json_is_told_before_it_is_sent(actors: ClusterActors) -> None:
    stack = one_for_each(stack_of(), actors)
    with pytest.raises(SerializationError, match=r"Weigh .*cannot be written as JSON: item"):
        dispatch(stack, Weigh(object(), DAY, PARCEL))
    assert list(stack.event_store) == []
    assert len(dispatch(stack, Weigh(1, DAY, PARCEL)).aggregates) == 1


def test_a_model_that_no_worker_can_import_is_told_with_what_would_work(actors: ClusterActors) -> None:
    @dataclass(frozen=True)
    class Whisper:
        def aggregate(self) -> tuple[type, str]:
            return BankAccount, "1"

    with pytest.raises(InvalidModel, match=r"cannot import Whisper: .*%%writefile bank.py.*upload_file"):
        dispatch(one_for_each(stack_of(), actors), Whisper())

    class Told:
        pass

    Told.__module__ = "__main__"
    with pytest.raises(InvalidModel, match=r"cannot import Told: it was defined in a notebook cell"):
        path_of(Told)
    with pytest.raises(InvalidModel, match=r"a worker cannot import nobody.bank:Account: .*upload_file"):
        class_at("nobody.bank:Account")
    with pytest.raises(InvalidModel, match=r"the module decimal has no Vulgar"):
        class_at("decimal:Vulgar")


def test_a_model_that_answers_otherwise_on_a_worker_is_told(
    actors: ClusterActors, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = dispatch(one_for_each(stack_of(), actors), DepositFunds("1", 10))
    asked = iter((Rejected("only there"), None, None))

    def execute(self: BankAccount, command: Any) -> Any:
        answer = next(asked)
        if answer is not None:
            raise answer
        return ()

    monkeypatch.setattr(BankAccount, "execute", execute)
    with pytest.raises(ModelError, match=r"answered differently on a worker than here \(only there\)"):
        dispatch(stack, DepositFunds("1", 1))


def test_actors_are_spread_over_the_workers_and_always_in_the_same_way(client: Any) -> None:
    places = []
    for _ in range(2):
        with ClusterActors(client) as actors:
            stack = one_for_each(stack_of(Transfer), actors)
            for n in range(60):
                stack = dispatch(stack, DepositFunds(str(n), 100))
            places.append(whereabouts(stack))
    assert places[0] == places[1]
    assert set(places[0]) == {f"BankAccount-{n}" for n in range(60)}
    held = Counter(places[0].values())
    assert set(held) == set(client.nthreads())
    assert min(held.values()) > 20


def test_all_in_one_live_on_one_worker(actors: ClusterActors) -> None:
    stack = one_for_all(stack_of(Transfer), actors)
    for n in range(5):
        stack = dispatch(stack, DepositFunds(str(n), 100))
    assert len(set(whereabouts(stack).values())) == 1


def test_whereabouts_needs_actors() -> None:
    with pytest.raises(InvalidValue, match="whereabouts needs a stack with its state in actors"):
        whereabouts(stack_of())


def test_callers_in_several_threads_share_the_actors_of_a_cluster(actors: ClusterActors) -> None:
    accounts = ("a", "b", "c")
    stack = one_for_each(Stack(process_manager_types=[Transfer], conflict_limit=100), actors)
    for account in accounts:
        stack = dispatch(stack, DepositFunds(account, 1000))
    move_money([stack] * 3, accounts, 15)
    demand_order(stack, 3000)


def test_an_instance_that_ended_is_held_by_no_worker_any_more(actors: ClusterActors) -> None:
    stack = dispatch(one_for_each(stack_of(Transfer), actors), DepositFunds("a", 100))
    stack = dispatch(stack, RequestTransfer("t", "a", "b", 10))
    for account in "abcd":  # hosts are told with the next call
        stack = dispatch(stack, DepositFunds(account, 1))
    names = [name for host in actors._hosts._hosts.values() for name in host.actor.names().result()]
    assert sorted(name.partition(":")[2] for name in names) == [f"BankAccount-{id_}" for id_ in "abcd"]


def test_what_is_no_cluster_is_told() -> None:
    with pytest.raises(
        StoreUnavailable, match=r"no scheduler answers at tcp://127.0.0.1:1: .*dask scheduler"
    ):
        ClusterActors("tcp://127.0.0.1:1", timeout=0.2)


def test_a_cluster_without_workers_is_told(client: Any) -> None:
    with ClusterActors(client, timeout=0.2) as actors:
        nobody = ModuleType("nobody")
        nobody.nthreads = dict  # type: ignore[attr-defined]
        nobody.scheduler = client.scheduler  # type: ignore[attr-defined]
        actors._hosts._client = nobody
        with pytest.raises(StoreUnavailable, match=r"has had no worker for 0.2 s. Start one"):
            dispatch(one_for_each(stack_of(), actors), DepositFunds("a", 100))


@pytest.mark.parametrize("gone", ["client", "cluster"])
def test_a_cluster_that_went_away_is_told(gone: str) -> None:
    cluster = LocalCluster(processes=False, n_workers=1, dashboard_address=":0")
    client = Client(cluster, set_as_default=False)
    actors = ClusterActors(client)
    stack = dispatch(one_for_each(stack_of(), actors), DepositFunds("a", 100))
    {"client": client, "cluster": cluster}[gone].close()
    for account in "ab":
        with pytest.raises(StoreUnavailable, match=r"does not answer .*that the client is open"):
            dispatch(stack, DepositFunds(account, 1))
    actors.close()
    client.close()
    cluster.close()


def test_closed_actors_say_so_and_leave_a_client_that_was_given_open(client: Any) -> None:
    with ClusterActors(client) as actors:
        stack = dispatch(one_for_each(stack_of(), actors), DepositFunds("a", 100))
    assert client.status == "running"
    with pytest.raises(StoreUnavailable, match=r"these actors were closed\. Start new ones"):
        dispatch(stack, DepositFunds("b", 1))


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"calamity-lab\[cluster\]"):
        ClusterActors("tcp://127.0.0.1:1")
