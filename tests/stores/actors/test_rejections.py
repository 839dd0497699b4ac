"""Rejections that change instances in actors of every shape: the same states as those of a value."""

from __future__ import annotations

import time
from typing import Any

import pytest

from calamity_lab import Stack, begin, dispatch
from calamity_lab.kernel.steps import Refused
from calamity_lab.stores import ProcessManagerWorker, SQLEventStore
from calamity_lab.stores.actors.cluster import ClusterActors
from calamity_lab.stores.actors.placement import one_for_all, one_for_each
from calamity_lab.stores.actors.stack_actor import StackActor
from calamity_lab.stores.actors.threads import ThreadActors
from tests.kernel.running import finish
from tests.kernel.test_rejections_change_instances import Order, Ordered
from tests.stores.actors.test_deaths import kill_all
from tests.stores.test_kept_rejections import MODEL, Clerk, carried_out, found, orders, recover, shop, until


@pytest.fixture
def store(tmp_path: Any) -> Any:
    with SQLEventStore(f"sqlite:///{tmp_path / 'shop.db'}", MODEL) as opened:
        yield opened


@pytest.fixture
def other(tmp_path: Any) -> Any:
    """The store of another process."""
    with SQLEventStore(f"sqlite:///{tmp_path / 'shop.db'}", MODEL) as opened:
        yield opened


@pytest.mark.parametrize("shape", [one_for_all, one_for_each])
@pytest.mark.parametrize("durable", [False, True])
def test_actors_come_to_the_same_states_also_when_they_die(shape: Any, durable: bool) -> None:
    expected = shop()
    with ThreadActors() as actors, SQLEventStore("sqlite://", MODEL) as store:
        expected = carried_out(expected, orders(3, 3))
        begun = carried_out(shop(store if durable else None), orders(3, 3))
        stack = shape(begun, actors)
        for n, command in enumerate(orders(4, 12)):
            expected, stack = dispatch(expected, command), dispatch(stack, command)
            if n % 4 == 3:
                kill_all(actors)
            assert dict(stack.process_managers) == dict(expected.process_managers)
        if durable:
            assert found(store) == dict(expected.process_managers)


def test_actors_on_a_cluster_come_to_the_same_states(client: Any) -> None:
    expected = carried_out(shop(), orders(3))
    with ClusterActors(client) as actors:
        stack = carried_out(one_for_each(shop(), actors), orders(3))
        assert dict(stack.process_managers) == dict(expected.process_managers)


def test_an_actor_takes_back_what_it_made_of_an_event_that_comes_after_a_rejection(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    run = until(begin(shop(store), Order("1", (9,))), Refused)
    with ThreadActors() as actors:
        stack = one_for_each(recover(shop(other, 8)).stack, actors)
        plain, left = other.hand_on, [run]

        def hand_on(*given: Any, **more: Any) -> Any:
            if left:
                finish(left.pop())
            return plain(*given, **more)

        other.hand_on = hand_on  # type: ignore[method-assign]
        stack = dispatch(stack, Order("1", (1,)))
        assert not left
        assert [noted[2] for noted in stack.process_managers["Clerk-1"].log] == [1, 1, 2]
        assert found(store) == dict(stack.process_managers)


def test_a_stack_in_an_actor_and_a_worker_come_to_the_same_states(
    store: SQLEventStore, other: SQLEventStore
) -> None:
    expected = dict(carried_out(shop(), orders(3)).process_managers)
    with StackActor(shop(store)) as actor:
        for command in orders(3):
            actor.dispatch(command)
        assert dict(actor.stack.process_managers) == expected
    with ProcessManagerWorker(Stack(process_manager_types=[Clerk], event_store=other)) as worker:
        assert dict(worker.stack.process_managers) == expected
        store.append("Shop-3", [Ordered("3", (9,))])
        until_then = time.monotonic() + 20
        while "Clerk-3" not in worker.stack.process_managers or len(found(store)["Clerk-3"].missed) < 1:
            assert time.monotonic() < until_then
            time.sleep(0.01)
    assert dict(worker.stack.process_managers) == found(store)
