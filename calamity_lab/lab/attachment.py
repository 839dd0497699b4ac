"""A lab's tie to a real store: what the lab opens on, and what is committed from there."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from calamity_lab.errors import CommitConflict, InvalidModel, InvalidValue, ModelError
from calamity_lab.kernel.rebuilding import Aggregates, Instances
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.sources import Clock, Ids, RandomIds, system_clock
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.stores import (
    InMemoryAggregateStore,
    InMemoryProcessManagerStore,
    InMemoryVersionStore,
)
from calamity_lab.lab.readings import Committed
from calamity_lab.model import Model
from calamity_lab.stores.overlay.event_store import OverlayEventStore
from calamity_lab.text import plural
from calamity_lab.trace.moment import Moment


class Attachment:
    """The real store under a lab's overlays, and which of the lab's events are in it by now."""

    def __init__(self, store: Any, model: Model) -> None:
        self._given = store
        self._model = model
        self._written: tuple[RecordedEvent, ...] = ()

    def open(
        self,
        position: int | None,
        clock: Clock | Callable[[], datetime] | None,
        ids: Ids | Callable[[], str] | None,
    ) -> Stack:
        """The system as its events tell it at that position, on an overlay that has read all of them."""
        clock, ids = clock or system_clock, ids or RandomIds()
        with self._store(read_only=True) as store:
            overlay = OverlayEventStore(store, position=position, clock=clock, ids=ids)
            history = tuple(overlay)
        _check_new(ids, history)
        stack = Stack(
            event_store=overlay, process_manager_types=self._model.process_managers, clock=clock, ids=ids
        )
        return _as_told(stack, self._model, history)

    def commit(self, moment: Moment) -> Committed:
        """Write what is recorded at a moment and not written yet; see `calamity_lab.lab.Lab.commit`."""
        if moment.run.progress is not None:
            raise InvalidValue(
                f"{moment.run.progress.pending.command_type} is in progress at moment {moment.index:,}, and "
                "half a command is not committed: step to its end with step(), or go back to before it, and "
                "commit there"
            )
        overlay: OverlayEventStore = moment.stack.event_store
        own, written = overlay.own, self._written
        if own == written[: len(own)]:
            return Committed()
        if written != own[: len(written)]:
            raise _left_before(own, written)
        with self._store(read_only=False) as store:
            events, store = overlay.commit(after=len(written), to=store)
        if not self._is_url:
            self._given = store
        self._written = own
        return Committed(events)

    @property
    def _is_url(self) -> bool:
        return not hasattr(self._given, "stream")

    @contextmanager
    def _store(self, *, read_only: bool) -> Iterator[Any]:
        """The store that was given; one that is named by a URL is opened only as long as it is needed."""
        if not self._is_url:
            if hasattr(self._given, "serializer") and self._given.serializer is not None:
                self._given.serializer.register(*self._model)
            yield self._given
            return
        from calamity_lab.stores.sql import SQLEventStore

        with SQLEventStore(self._given, self._model, read_only=read_only) as store:
            yield store


def _left_before(own: Sequence[RecordedEvent], written: Sequence[RecordedEvent]) -> CommitConflict:
    """Why a branch cannot be committed that left another before what was committed there."""
    pairs = zip(own, written, strict=False)
    shared = next(
        (n for n, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(own), len(written))
    )
    conflict = CommitConflict(Committed(tuple(written[shared:])).streams)
    conflict.add_note(
        "It was this lab that moved them on, when it committed another branch, which this one left before "
        "that. Switch to that branch to go on with what is written."
    )
    return conflict


def _check_new(ids: Ids | Callable[[], str], history: Sequence[RecordedEvent]) -> None:
    """Refuse a source whose ids are in the history already: a seed that was used before."""
    if not hasattr(ids, "draw"):
        return
    drawn, _ = ids.draw(8)
    repeated = set(drawn).intersection(
        id_ for event in history for id_ in (event.event_id, event.causation_id, event.correlation_id)
    )
    if repeated:
        raise InvalidValue(
            f"attach(ids={ids!r}): it gives {min(repeated)!r}, which is in the history already; leave ids "
            "out for random ones, or take another seed"
        )


def _as_told(stack: Stack, model: Model, history: Sequence[RecordedEvent]) -> Stack:
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
        listed = ", ".join(f"{name} ({plural(count, 'event')})" for name, count in sorted(unknown.items()))
        told.append(f"the model has no class for {listed}; they are shown as they were stored")
    if broken:
        first, error = next(iter(broken.items()))
        which = f"{first} and {len(broken) - 1:,} more are" if len(broken) > 1 else f"{first} is"
        told.append(f"{which} left out, as the model cannot take what happened: {error}")
    if told:
        warnings.warn("; and ".join(told), stacklevel=5)
