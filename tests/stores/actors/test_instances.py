"""A process manager instance in an actor takes an event in once, whoever hands it on, and however often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors import process_managers
from calamity_lab.stores.actors.placement import one_for_each
from calamity_lab.stores.actors.process_managers import InstancesInActor
from calamity_lab.stores.actors.protocol import Behind, CatchUpResult
from calamity_lab.stores.actors.threads import ThreadActors
from calamity_lab.testing.models import Count, Errand, ErrandDone, ErrandGiven, RainFell, StopReached

E1 = Identity(Errand, "e1")


def recorded(*events: Any) -> list[RecordedEvent]:
    """The events as an event store has them, from position 1 on."""
    return list(InMemoryEventStore().append("Errands-1", list(events)))


@pytest.fixture
def store() -> Iterator[Any]:
    with ThreadActors() as actors:
        yield one_for_each(Stack(), actors).process_managers


def test_an_event_that_is_handed_again_changes_nothing_and_is_answered_the_same() -> None:
    held = InstancesInActor()
    given, reached = recorded(ErrandGiven("e1", ("mill", "inn")), StopReached("e1", "mill"))
    first = held.react(E1, given, 0)
    assert held.react(E1, given, 0) == held.react(E1, given, 1) == first
    second = held.react(E1, reached, 1)
    assert held.react(E1, reached, 1) == held.react(E1, reached, 2) == second
    assert second.commands == (Count("mill", 1),)
    assert held.react(E1, given, 2).commands == (), "that is long ago"
    assert held.read(E1, 2).state == Errand("e1", ("inn",), ("mill",))


def test_an_instance_says_how_far_it_has_come_where_the_caller_knows_of_more() -> None:
    held = InstancesInActor()
    given, _, reached = recorded(ErrandGiven("e1", ("mill",)), RainFell(), StopReached("e1", "mill"))
    assert held.read(E1, 1) == held.react(E1, reached, 1) == Behind(0)
    assert held.restore(E1, [given], 2) == CatchUpResult(2)
    assert held.read(E1, 2).state == Errand("e1", ("mill",))
    held.react(E1, reached, 2)
    assert held.restore(E1, [given], 2) == CatchUpResult(2), "one that has come further stays as it is"
    assert held.read(E1, 3).state == Errand("e1", (), ("mill",))


def test_an_instance_that_nobody_knows_to_live_begins_anew() -> None:
    held = InstancesInActor()
    once, again = recorded(ErrandGiven("e1", ("mill",)), ErrandGiven("e1", ("inn",)))
    held.react(E1, once, 0)
    answer = held.react(E1, again, 0)
    assert (answer.verb, answer.before, answer.after) == ("started", None, Errand("e1", ("inn",)))


def test_what_was_handed_on_longer_ago_than_answers_are_kept_is_met_with_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_managers, "KEPT", 2)
    events = recorded(*(ErrandGiven(name, ("mill",)) for name in "abc"), ErrandDone("a"))
    with ThreadActors() as actors:
        store = one_for_each(Stack(), actors).process_managers
        for event in events:
            _, store = store.handle_event(event, [Errand])
        told = [store.handle_event(event, [Errand])[0][0] for event in events]
        assert [(str(reaction.verb), len(reaction.commands)) for reaction in told] == [
            ("ignored", 0),
            ("ignored", 0),
            ("started", 1),
            ("stopped", 0),
        ]
        assert set(store) == {"Errand-b", "Errand-c"}
        assert len(actors) == 2


def test_versions_count_what_was_taken_in_however_often_it_was_handed_on(store: Any) -> None:
    events = recorded(ErrandGiven("e1", ("mill",)), StopReached("e1", "mill"), ErrandDone("e2"))
    for event in [*events, *events]:
        store.handle_event(event, [Errand])
    assert store.shared.versions == {"Errand-e1": 2}
