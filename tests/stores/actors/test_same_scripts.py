"""Actors in every shape give the same events, states and order as stores in memory, on the same scripts."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.errors import Rejected
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.stores.actors.cluster import ClusterActors
from calamity_lab.stores.actors.placement import one_for_all, one_for_each, whereabouts
from calamity_lab.stores.actors.stack_actor import StackActor
from calamity_lab.stores.actors.threads import ThreadActors
from tests.stores.scripts import new_stack, outcome, perform
from tests.stores.test_same_scripts import COUNT, in_memory, same


def test_one_actor_around_the_stack_gives_the_same() -> None:
    after = 0
    with StackActor(new_stack(InMemoryEventStore())) as actor:
        for script, wanted in in_memory():
            refused = []
            for command in script.commands:
                try:
                    actor.dispatch(command)
                except Rejected as rejected:
                    refused.append((type(command).__name__, str(rejected)))
            found = outcome(actor.stack, after=after)
            after += len(found.events)
            assert found == wanted._replace(refused=()), script
            assert set(refused) <= set(wanted.refused), script


def test_one_actor_for_all_gives_the_same() -> None:
    with ThreadActors() as actors:
        same(one_for_all(new_stack(InMemoryEventStore()), actors))
        assert len(actors) == 2


@pytest.mark.parametrize("start", range(0, COUNT, COUNT // 10))
def test_one_actor_for_each_gives_the_same(start: int) -> None:
    """A few scripts at a time, because they leave some four aggregates each, and so as many threads."""
    with ThreadActors() as actors:
        stack, after = one_for_each(new_stack(InMemoryEventStore()), actors), 0
        for script, wanted in in_memory()[start : start + COUNT // 10]:
            stack, refused = perform(stack, script)
            found = outcome(stack, refused, after=after)
            after += len(found.events)
            assert found == wanted, script
        assert len(actors) == len(stack.aggregates) + len(stack.process_managers) > 250


def test_one_actor_for_each_on_a_cluster_gives_the_same(client: Any) -> None:
    with ClusterActors(client) as actors:
        stack = one_for_each(new_stack(InMemoryEventStore()), actors)
        same(stack)
        places = whereabouts(stack)
    assert set(places.values()) == set(client.nthreads())
    assert len(places) == len(stack.aggregates) + len(stack.process_managers) > 2500
