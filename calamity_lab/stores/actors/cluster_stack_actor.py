"""One actor around a whole stack, on a worker of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from calamity_lab.kernel.recovery import rebuild
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.around_a_stack import AroundAStack
from calamity_lab.stores.actors.cluster import ClusterActors
from calamity_lab.stores.actors.held_stack import Ticket


class ClusterStackActor(AroundAStack):
    """A stack on a worker of a cluster: it is sent commands, which are carried out one after another.

    ``make`` is a function of a module that the worker can import. It makes the stack, on an event store that
    the worker can reach::

        def new_stack() -> Stack:
            return Stack(event_store=SQLEventStore(URL, bank), process_manager_types=[bank.Transfer])

        with ClusterActors(address) as actors, ClusterStackActor(new_stack, actors) as actor:
            actor.dispatch(DepositFunds("alice", 100))

    Every actor that is started takes up what the event store has first, and carries out what is owed.
    """

    def __init__(self, make: Callable[[], Stack], actors: ClusterActors) -> None:
        super().__init__(actors)
        self._cluster = actors
        self._make = make

    def stack(self, aggregate_types: Iterable[type] = ()) -> Stack:
        """A stack here, as the event store tells it now: aggregates of these types, and all instances."""
        return rebuild(self._make(), aggregate_types)

    def close(self) -> None:
        """Let the actor go."""
        with self._lock:
            if self._reference is not None:
                self._cluster.stop(self._reference)
                self._reference = None

    def __repr__(self) -> str:
        return f"ClusterStackActor({self._make.__qualname__} on {self._cluster!r})"

    def _start(self) -> Any:
        return self._cluster.start(f"stack of {self._make.__qualname__}", self._make)

    def _ticket(self) -> Ticket:
        return Ticket(uuid4().hex)
