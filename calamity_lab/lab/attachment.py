"""A lab on a real store: open its history without writing to it, and commit events when asked."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from calamity_lab.errors import CommitConflict, InvalidModel, InvalidValue, ModelError, repr_of
from calamity_lab.kernel import outbox
from calamity_lab.kernel.arguments import a_bool, has
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, check_sources, system_clock
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import (
    Aggregates,
    Instances,
    taken_up,
    with_aggregates,
    with_deadlines,
    with_instances,
)
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab.results import Committed
from calamity_lab.model import Model
from calamity_lab.stores.overlay import DurableOverlayEventStore, OverlayEventStore
from calamity_lab.text import plural
from calamity_lab.trace.trace import Moment


class Attachment:
    """The real store that a lab is attached to, and which of the lab's events are committed."""

    def __init__(
        self,
        store: Any,
        position: int | None,
        clock: Clock | Callable[[], datetime] | None,
        ids: Ids | Callable[[], str] | None,
        *,
        recover: bool,
    ) -> None:
        self._given = store
        self._position = position
        self._clock: Any = system_clock if clock is None else clock
        self._ids: Any = RandomIds() if ids is None else ids
        check_sources("Lab.attach", self._clock, self._ids)
        self._recover = a_bool("Lab.attach(recover)", recover)
        self._committed: OverlayEventStore | None = None

    def open(self, model: Model) -> Run:
        """The run as of the position; its event store is an overlay, so the real store stays as it is.

        With ``recover`` it has on its agenda what `recover` would carry out. Opened again, for other classes,
        it has the same events as the first time, also where more are in the store by now.
        """
        if self._committed is not None:
            raise InvalidValue(
                "This lab has committed events to its store, and the earlier classes decided them. They stay "
                "there, so the lab cannot be replayed on other classes. Open the store again with "
                "Lab.attach(...)"
            )
        clock, ids = self._clock, self._ids
        with self._store(model, read_only=True) as store:
            overlay = OverlayEventStore(store, position=self._position, clock=clock, ids=ids)
            self._position = overlay.position
            if self._is_url and isinstance(overlay, DurableOverlayEventStore):
                overlay.read_outbox()
            history = tuple(overlay.stream(ALL))
            _check_new(ids, history)
            stack = Stack(
                event_store=overlay, process_manager_types=model.process_managers, clock=clock, ids=ids
            )
            stack = _with_states(stack, model, history)
            if not outbox.is_durable(overlay):
                if self._recover:
                    outbox.warn_of_events_only(store)
                return Run(stack)
            if not self._recover:
                return Run(with_deadlines(stack, model.aggregates))
            outbox.check_names(stack)
            return taken_up(stack, model.aggregates)

    def commit(self, moment: Moment, model: Model) -> Committed:
        """Write the events up to a moment that are not in the store yet; see `Lab.commit`."""
        if moment.run.progress is not None:
            raise InvalidValue(
                f"commit() cannot write half a command: {moment.run.progress.pending.command_type} is in "
                f"progress at moment {moment.index:,}. Finish the command with lab.step(), or go back to "
                "before it with lab.step_back_over(), and commit there"
            )
        overlay: OverlayEventStore = moment.stack.event_store
        committed = self._committed
        if committed is not None:
            if overlay._is_part_of(committed):
                return Committed()
            if not committed._is_part_of(overlay):
                raise _left_before(overlay.own, committed.own)
        with self._store(model, read_only=False) as store:
            events, store = overlay.commit(after=0 if committed is None else committed, to=store)
        if not self._is_url:
            self._given = store
        self._committed = overlay
        return Committed(events)

    @property
    def _is_url(self) -> bool:
        return not has(self._given, "stream")

    @contextmanager
    def _store(self, model: Model, *, read_only: bool) -> Iterator[Any]:
        """The given store; a store named by a URL is open only inside the ``with`` block."""
        if not self._is_url:
            serializer: Any = getattr(self._given, "serializer", None)
            if has(serializer, "register"):
                serializer.register(*model)
            yield self._given
            return
        from calamity_lab.stores.sql import SQLEventStore

        with SQLEventStore(self._given, model, read_only=read_only, unreadable="keep") as store:
            yield store


def _left_before(own: Sequence[RecordedEvent], written: Sequence[RecordedEvent]) -> CommitConflict:
    """The error for a branch that forked before events that another branch has committed."""
    pairs = zip(own, written, strict=False)
    shared = next(
        (n for n, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(own), len(written))
    )
    conflict = CommitConflict(Committed(tuple(written[shared:])).streams)
    conflict.add_note(
        "This lab wrote these events itself, from another branch; the current branch forked before them. "
        "Switch to that branch with lab.switch(name) to continue from the committed events."
    )
    return conflict


def _check_new(ids: Ids | Callable[[], str], history: Sequence[RecordedEvent]) -> None:
    """Raise for a source of ids that repeats an id of the history, such as a seed that was used before."""
    if not hasattr(ids, "draw"):
        return
    drawn, _ = ids.draw(8)
    repeated = set(drawn).intersection(
        id_ for event in history for id_ in (event.event_id, event.causation_id, event.correlation_id)
    )
    if repeated:
        raise InvalidValue(
            f"attach(ids={repr_of(ids)}): this source gives the id {min(repeated)!r}, which is in the "
            "history already; leave ids out to get random ids, or use another seed"
        )


def _with_states(stack: Stack, model: Model, history: Sequence[RecordedEvent]) -> Stack:
    """The stack with the states folded from a history; one warning names what could not be folded.

    `calamity_lab.kernel.recovery.rebuild` does the same, but stops at the first callback that fails.
    """
    aggregates, broken = _aggregates(stack, model, history)
    stack = with_aggregates(stack, aggregates)
    has_marks = outbox.is_durable(stack.event_store)
    head = history[-1].position if history else 0
    for index, cls in enumerate(stack.process_manager_types):
        try:
            if has_marks:
                stack = outbox.taken_in(stack, index)
                continue
            instances = Instances(stack.event_store, (cls,))
            for recorded in history:
                instances.take(recorded)
            stack = with_instances(stack, instances, head, [index])
        except ModelError as error:
            # Its mark stays at 0, so that its next event is not handled on a state that lacks events.
            broken[cls.__name__] = error
    _warn(history, broken, aggregates.unknown)
    return stack


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


def _warn(history: Sequence[RecordedEvent], broken: Mapping[str, Exception], nameless: Iterable[str]) -> None:
    """Warn once about events and streams without a class, and about instances that are left out."""
    from calamity_lab.stores.serializer import UnknownEvent, UnreadableEvent

    unreadable = [event.position for event in history if isinstance(event.event, UnreadableEvent)]
    unknown = Counter(event.event_type for event in history if isinstance(event.event, UnknownEvent))
    warned = []
    if unreadable:
        where = f"position {unreadable[0]:,}" + (", and further on" if len(unreadable) > 1 else "")
        warned.append(
            f"{plural(len(unreadable), 'event')} cannot be read (at {where}), because somebody changed the "
            "rows by hand; their states are left out, and lab.history shows why as UnreadableEvent"
        )
    if unknown:
        listed = ", ".join(f"{name} ({plural(count, 'event')})" for name, count in sorted(unknown.items()))
        warned.append(
            f"the model has no class for {listed}; these events are shown as they were stored, and "
            "projections do not get them"
        )
    warned += [
        f"the model has no aggregate with the stored name {name!r}, so these states are left out. "
        f"If its class was renamed, write stored_name = {name!r} in the body of the class"
        for name in nameless
    ]
    if broken:
        first, error = next(iter(broken.items()))
        which = f"{first} and {len(broken) - 1:,} more are" if len(broken) > 1 else f"{first} is"
        warned.append(f"{which} left out, because a callback failed on the recorded events: {error}")
    if warned:
        warnings.warn("; and ".join(warned), stacklevel=5)
