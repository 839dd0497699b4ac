"""Deadlines of stacks with actors in every shape: as those of a value."""

from __future__ import annotations

import os
import pickle  # noqa: S403 - it is what actors use
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import After, At, Cancel, Stack, dispatch, due, seeded_ids
from calamity_lab.errors import InvalidValue, ModelError
from calamity_lab.stores import ClusterStackActor, SQLEventStore, recover
from calamity_lab.stores.actors.cluster import ClusterActors
from calamity_lab.stores.actors.placement import one_for_all, one_for_each
from calamity_lab.stores.actors.stack_actor import StackActor
from calamity_lab.stores.actors.threads import ThreadActors
from calamity_lab.stores.actors.worker import WireCodec
from tests import holds
from tests.holds import ExpireHold, ExtendHold, Holding, HoldSeat, RemindGuest, Seat, theatre
from tests.stores.test_deadlines import HOUR, START, acts


def begun(place: Callable[[Stack], Stack] = lambda stack: stack) -> Stack:
    stack = place(theatre(ids=seeded_ids(8)))
    for seat in ("A1", "A2", "A3"):
        stack = dispatch(stack, HoldSeat(seat))
    return stack


def what_happens(stack: Stack) -> list[Any]:
    """The deadlines and the events after each act; actors' stores are looked at before they go on."""
    found = [(list(stack.deadlines), [each.event for each in stack.event_store])]
    for after in acts(stack):
        found.append((list(after.deadlines), [each.event for each in after.event_store]))
    return found


@pytest.mark.parametrize("shape", [one_for_all, one_for_each])
def test_actors_set_take_off_and_meet_deadlines_as_a_value_does(shape: Any) -> None:
    with ThreadActors() as actors:
        assert what_happens(begun(lambda stack: shape(stack, actors))) == what_happens(begun())


def test_actors_on_a_cluster_set_take_off_and_meet_deadlines_as_a_value_does(client: Any) -> None:
    with ClusterActors(client) as actors:
        assert what_happens(begun(lambda stack: one_for_each(stack, actors))) == what_happens(begun())


def test_a_stack_in_an_actor_meets_what_is_due() -> None:
    with StackActor(theatre()) as actor:
        actor.dispatch(HoldSeat("A1"))
        assert actor.due(START) == ()
        assert [each.deadline for each in actor.stack.deadlines] == ["reminder", "ExpireHold"]
        met = actor.due(START + HOUR)
        assert [each.event_type for each in met] == ["GuestReminded", "HoldExpired"]
        assert actor.stack == due(dispatch(theatre(), HoldSeat("A1")), START + HOUR)
        with pytest.raises(InvalidValue, match=r"due\(now=.*no time zone"):
            actor.due(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is told


def test_a_stack_in_an_actor_sets_aside_what_raises_and_meets_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, broken = Seat.execute, [True]

    def execute(self: Any, command: Any) -> Any:
        if command == RemindGuest("A1") and broken[0]:
            raise KeyError("no such guest")
        return plain(self, command)

    monkeypatch.setattr(Seat, "execute", execute)
    with SQLEventStore(f"sqlite:///{tmp_path / 'theatre.db'}", holds) as store:
        with StackActor(theatre(event_store=store)) as actor:
            actor.dispatch(HoldSeat("A1"))
            actor.dispatch(HoldSeat("A2"))
            with pytest.raises(ModelError, match="no such guest"):
                actor.due(START + timedelta(minutes=11))
            assert [each.event_type for each in store] == ["SeatHeld", "SeatHeld", "GuestReminded"]
            assert actor.due(START + timedelta(minutes=11)) == ()
            broken[0] = False
            actor.dispatch(ExtendHold("A2"))  # what was set aside is tried again with the next command
            assert sorted(each.event_type for each in store).count("GuestReminded") == 2
        assert not [entry for entry in store.outbox if entry.deadline == "reminder" and not entry.outcome]


def open_theatre() -> Stack:
    """The stack of an actor on a cluster."""
    return Stack(event_store=SQLEventStore(os.environ["THEATRE"], holds), process_manager_types=(Holding,))


def test_a_stack_in_an_actor_of_a_cluster_meets_what_another_process_set(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THEATRE", f"sqlite:///{tmp_path / 'theatre.db'}")
    dispatch(open_theatre(), HoldSeat("A1"))
    later = datetime.now(UTC) + HOUR
    with ClusterActors(client) as actors, ClusterStackActor(open_theatre, actors) as actor:
        assert [each.event_type for each in actor.due(later)] == ["GuestReminded", "HoldExpired"]
        assert actor.due(later) == ()
    assert not recover(open_theatre()).stack.deadlines


@pytest.mark.parametrize(
    "answer",
    [After(HOUR, ExpireHold("A1"), name="n"), At(START, ExpireHold("A1")), Cancel(ExpireHold), Cancel("n")],
)
def test_what_sets_and_takes_off_deadlines_goes_to_another_process(answer: Any) -> None:
    codec = WireCodec()
    assert codec.read(codec.write((answer,))) == (answer,)
    assert pickle.loads(pickle.dumps(answer)) == answer  # noqa: S301 - it is our own
