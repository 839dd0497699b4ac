"""The states that a real history tells, as far as a model can take what happened."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from calamity_lab.errors import InvalidModel, ModelError
from calamity_lab.kernel.rebuilding import Aggregates, Instances
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.stores import (
    InMemoryAggregateStore,
    InMemoryProcessManagerStore,
    InMemoryVersionStore,
)
from calamity_lab.model import Model
from calamity_lab.trace.telling import counted


def as_told(stack: Stack, model: Model, history: Sequence[RecordedEvent]) -> Stack:
    """The stack with the states that a history tells; what the model cannot take is left out, and told.

    As `calamity_lab.kernel.recovery.rebuild` has them, which ends at the first event that breaks a callback.
    """
    aggregates, broken = _aggregates(stack, model, history)
    states: dict[str, Any] = {}
    versions: dict[str, int] = {}
    handed = []
    for cls in stack.process_manager_types:
        try:
            instances = _instances(stack, cls, history)
        except ModelError as error:
            broken[cls.__name__] = error
            handed.append(0)  # so that an event that matters to it does not pass by what it missed
        else:
            states |= instances.states
            versions |= instances.versions
            handed.append(len(history))
    _warn(history, broken)
    return changed(
        stack,
        aggregates=InMemoryAggregateStore(aggregates.states),
        aggregate_versions=InMemoryVersionStore(aggregates.versions),
        process_managers=InMemoryProcessManagerStore(states),
        process_manager_versions=InMemoryVersionStore(versions),
        handed=tuple(handed),
    )


def _aggregates(
    stack: Stack, model: Model, history: Sequence[RecordedEvent]
) -> tuple[Aggregates, dict[str, Exception]]:
    aggregates = Aggregates(stack.event_store, model.aggregates)
    broken: dict[str, Exception] = {}
    for recorded in history:
        stream_id = recorded.stream_id
        if stream_id in broken:
            continue
        try:
            aggregates.take(recorded)
        except (ModelError, InvalidModel) as error:
            broken[stream_id] = error
            aggregates.states.pop(stream_id, None)
            aggregates.versions.pop(stream_id, None)
    return aggregates, broken


def _instances(stack: Stack, cls: type, history: Sequence[RecordedEvent]) -> Instances:
    instances = Instances(stack.event_store, (cls,))
    for recorded in history:
        for _ in instances.take(recorded):
            pass
    return instances


def _warn(history: Sequence[RecordedEvent], broken: Mapping[str, Exception]) -> None:
    """Tell once what of a history is shown, but not understood."""
    from calamity_lab.stores.serializer import UnknownEvent

    unknown = Counter(event.event_type for event in history if isinstance(event.event, UnknownEvent))
    told = []
    if unknown:
        listed = ", ".join(f"{name} ({counted(count, 'event')})" for name, count in sorted(unknown.items()))
        told.append(f"the model has no class for {listed}; they are shown as they were stored")
    if broken:
        first, error = next(iter(broken.items()))
        which = f"{first} and {len(broken) - 1:,} more are" if len(broken) > 1 else f"{first} is"
        told.append(f"{which} left out, as the model cannot take what happened: {error}")
    if told:
        warnings.warn("; and ".join(told), stacklevel=5)
