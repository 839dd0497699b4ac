"""Stacks over an event store that outlives them, in memory; and what a crash leaves of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores import SQLEventStore
from tests.kernel.running import stack_of


def new_store(*types: Any) -> SQLEventStore:
    """An empty store that knows the messages of the examples, and these."""
    store = SQLEventStore("sqlite://", bank)
    store.serializer.register(*[cls for cls in vars(fulfilment).values() if isinstance(cls, type)])
    store.serializer.register(*types)
    return store


def copy_of(store: SQLEventStore) -> SQLEventStore:
    """The store as a process would find it that is started now."""
    copy = SQLEventStore("sqlite://", store.serializer)
    store._database._writing().backup(copy._database._writing())
    return copy


def durable(*managers: type, **given: Any) -> Stack:
    """A stack with these process managers, over a new store unless one is given."""
    given.setdefault("event_store", new_store())
    return stack_of(*managers, **given)


class Moment(NamedTuple):
    """A run, and its store as a crash at that moment leaves it."""

    run: Run
    store: SQLEventStore


def moments_of(stack: Stack, commands: Sequence[Any]) -> list[Moment]:
    """The moments of the commands, each submitted when those before are done."""
    taken = []
    for each in commands:
        run = begin(stack, each)
        taken.append(Moment(run, copy_of(run.stack.event_store)))
        while not run.idle:
            _, run = advance(run)
            taken.append(Moment(run, copy_of(run.stack.event_store)))
        stack = run.stack
    return taken
