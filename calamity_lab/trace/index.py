"""An index of a trace, updated as the trace grows, so that a view never reads the whole trace."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise, takewhile
from operator import is_
from typing import Any, Literal, NamedTuple
from uuid import UUID

from rpds import HashTrieMap

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.schema import field_names
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, AtProcessManager, Elapsed, Executed, Step
from calamity_lab.trace.projections import Projections

BLOCK = 32
"""The fields that were touched are kept for so many changes of a lane at once."""

KEPT_EVERY = 32
"""The index is kept at every moment that is a multiple of this, so that a fork adds few steps again."""

Kind = Literal["aggregate", "process manager", "projection"]


class Lane(NamedTuple):
    """A stream, a process manager instance or a projection, and the moment from which it is known."""

    identity: Identity
    kind: Kind
    since: int


class TouchedFields(NamedTuple):
    """The ``fields`` that a block of changes of a lane touched. All states in the block are of one class."""

    cls: type
    fields: frozenset[str]


class SetDeadline(NamedTuple):
    """A deadline, and the moment at which it was set; 0 before the trace began."""

    moment: int
    pending: Pending


class DeadlineEnd(NamedTuple):
    """What became of a deadline: its number among all, from 1, and when it came due or was taken off.

    One that is kept has ``moment`` None, and ``how`` is "set".
    """

    number: int
    moment: int | None = None
    how: Literal["set", "came due", "taken off"] = "set"


_StepAt = Callable[[int], Step | None]


class Index(NamedTuple):
    """Moments by what happened at them, each sequence in order of the trace.

    ``events`` are all recorded events in order of position and ``event_moments`` when each came to be
    (0: before the trace began; what others recorded meanwhile comes with the next event of the trace's own);
    ``dispatched``, ``completed``, ``rejections``, ``injected`` and ``elapsed`` are moments;
    ``lanes`` are in order of appearance; ``reactions`` holds the moments of each process manager instance,
    ``decided`` those at which each aggregate's events were recorded, ``cascades`` those at which the commands
    of each correlation id were dispatched, and ``met`` the moment at which a stream without a lane first
    rejected a command, decided nothing, or was ignored. ``touched`` says for each lane, and for every
    `BLOCK` changes of it, which fields they touched: None where that is not known. ``ended`` says by the id
    of its command what became of each of the ``deadlines``. ``projections`` are folded from the events.
    ``earlier`` are the indices at every moment that is a multiple of `KEPT_EVERY`.
    """

    events: PersistentVector[RecordedEvent] = PersistentVector()
    event_moments: PersistentVector[int] = PersistentVector()
    dispatched: PersistentVector[int] = PersistentVector()
    completed: PersistentVector[int] = PersistentVector()
    rejections: PersistentVector[int] = PersistentVector()
    lanes: PersistentVector[Lane] = PersistentVector()
    lane_numbers: HashTrieMap[str, int] = HashTrieMap()
    reactions: HashTrieMap[str, PersistentVector[int]] = HashTrieMap()
    decided: HashTrieMap[str, PersistentVector[int]] = HashTrieMap()
    cascades: HashTrieMap[str, PersistentVector[int]] = HashTrieMap()
    met: HashTrieMap[str, int] = HashTrieMap()
    touched: HashTrieMap[str, PersistentVector[TouchedFields | None]] = HashTrieMap()
    ended: HashTrieMap[str, DeadlineEnd] = HashTrieMap()
    projections: Projections = Projections()
    earlier: PersistentVector[Index] = PersistentVector()
    injected: PersistentVector[int] = PersistentVector()
    elapsed: PersistentVector[int] = PersistentVector()
    deadlines: PersistentVector[SetDeadline] = PersistentVector()

    @classmethod
    def of(cls, stack: Stack, types: Iterable[type] = ()) -> Index:
        """The index of a trace in which nothing has happened yet to that stack, with these projections."""
        events: PersistentVector[RecordedEvent] = PersistentVector(stack.event_store.stream(ALL))
        index = cls(events, PersistentVector([0] * len(events)))
        known = dict.fromkeys([event.stream_id for event in events])
        for stream_id in dict.fromkeys([*known, *stream_ids(stack.aggregates)]):
            index = index._lane(Identity.parse(stream_id), 0, kind="aggregate")
        for stream_id in stream_ids(stack.process_managers):
            index = index._lane(Identity.parse(stream_id), 0, kind="process manager")
        index = index._setting(0, stack.deadlines)
        projections = Projections.of(types, index.lane_numbers)
        index = index._begin_projections(projections) if projections.types else index
        return index._kept()

    def add(self, step: Step, step_at: _StepAt) -> Index:
        """The index with a further step; ``step_at`` gives the step of each moment up to this one."""
        index = self._added(step, step_at)
        if step.deadlines or step.taken_off or isinstance(step, Elapsed):
            index = index._setting(step.index, step.deadlines, step)
        return index if step.index % KEPT_EVERY else index._kept()

    def _kept(self) -> Index:
        """The index, which keeps itself as it is now."""
        return self._replace(earlier=self.earlier.append(self._replace(earlier=PersistentVector())))

    def _added(self, step: Step, step_at: _StepAt) -> Index:
        at = step.index
        if step.is_injected:
            return self._injected(step)
        if step.begins:
            index = self._dispatched(step.pending.correlation_id, at)
            return index._replace(elapsed=index.elapsed.append(at)) if step.ends else index
        if step.ends:
            return self._replace(completed=self.completed.append(at))
        subject = step.subject
        if subject is None:
            return self
        if step.recorded:
            return self._appended(step, subject, step_at)
        if step.decides:
            return self._decided(step, subject)
        if step.trigger is not None:
            return self._reacted(step, subject, step_at)
        if step.at_process_manager:  # an instance that the history started
            return self._lane(subject, at, kind="process manager")
        return self

    def by_others(self, step: Step, event_store: Any) -> Index:
        """The index with what others recorded in a store between the last known event and those of a step."""
        first = step.positions[0] if step.recorded else 0
        if first <= self.last_position + 1:
            return self
        there = event_store.stream(ALL, start_version=self.last_position + 1)
        return self._with_others(list(takewhile(lambda event: event.position < first, there)), step.index)

    def _with_others(self, others: Sequence[RecordedEvent], at: int) -> Index:
        index = self
        for event in others:
            index = index._lane(Identity.parse(event.stream_id), at, kind="aggregate")
        return index._known(others, at)

    def upto(self, moment: int, step_at: _StepAt) -> Index:
        """The index as it was at that moment; ``step_at`` gives the step of each moment."""
        nearest = moment // KEPT_EVERY
        kept = self.earlier[nearest]
        # What projections made of the events is known, so the model is not asked again.
        projections = kept.projections._replace(later=self.projections)
        index = kept._replace(earlier=self.earlier.take(nearest + 1), projections=projections)
        for step in filter(None, map(step_at, range(nearest * KEPT_EVERY + 1, moment + 1))):
            known = len(index.events)
            if step.recorded and self.events_at(step.index) > known + len(step.recorded):
                others = self.events[known : self.events_at(step.index) - len(step.recorded)]
                index = index._with_others(others, step.index)
            index = index.add(step, step_at)
        return index._replace(projections=self.projections.upto(self.events_at(moment)))

    @property
    def last_position(self) -> int:
        """The position of the last event; 0 where there is none."""
        return self.events[-1].position if self.events else 0

    def events_at(self, moment: int) -> int:
        """How many events are recorded at that moment."""
        return bisect_right(self.event_moments, moment)

    def projected_at(self, moment: int) -> PersistentMap[Any]:
        """The projections at that moment, by stream id."""
        kept = self.projections
        return kept.states[self.events_at(moment) if kept.types else 0]

    def lanes_at(self, moment: int) -> int:
        """How many lanes are known at that moment."""
        return bisect_right(self.lanes, moment, key=lambda lane: lane.since)

    def deadlines_at(self, moment: int) -> int:
        """How many deadlines were set up to that moment."""
        return bisect_right(self.deadlines, moment, key=lambda each: each.moment)

    def known_since(self, stream_id: str) -> int | None:
        """The moment since which a stream has a lane, or was met without one; None where it never was."""
        lane = self.lane_numbers.get(stream_id)
        return self.met.get(stream_id) if lane is None else self.lanes[lane].since

    def command_start(self, moment: int) -> int:
        """The moment at which the command of that moment was dispatched; 0 at the very beginning."""
        count = bisect_right(self.dispatched, moment)
        return self.dispatched[count - 1] if count else 0

    def _dispatched(self, correlation_id: str, at: int) -> Index:
        moments = self.cascades.get(correlation_id, PersistentVector()).append(at)
        return self._replace(
            dispatched=self.dispatched.append(at), cascades=self.cascades.insert(correlation_id, moments)
        )

    def _injected(self, step: Step) -> Index:
        """The index with a fault: what another writer recorded is no decision of the aggregate."""
        at, subject = step.index, step.subject
        index = self._replace(injected=self.injected.append(at))
        if step.begins:
            index = index._dispatched(step.pending.correlation_id, at)
        if step.recorded and subject is not None:
            index = index._lane(subject, at, kind="aggregate")._known(step.recorded, at)
        return index

    def _decided(self, step: Step, aggregate: Identity) -> Index:
        index = self._met(aggregate, step.index)
        if step.rejected is None:
            return index
        return index._replace(rejections=self.rejections.append(step.index))

    def _appended(self, step: Step, aggregate: Identity, step_at: _StepAt) -> Index:
        at, stream_id = step.index, aggregate.stream_id
        index = self._lane(aggregate, at, kind="aggregate")
        moments = index.decided.get(stream_id, PersistentVector()).append(at)
        index = index._known(step.recorded, at)._replace(decided=index.decided.insert(stream_id, moments))
        if len(moments) % BLOCK:
            return index
        return index._touching(stream_id, _decided_states(*_block(moments, step_at), step_at))

    def _setting(self, at: int, deadlines: Iterable[Pending], step: Step | None = None) -> Index:
        """The index with deadlines that were set at a moment, and what became of others at its step."""
        set_here = [SetDeadline(at, each) for each in deadlines]
        ended = _with_ends(self.ended, len(self.deadlines), set_here, step)
        return self._replace(deadlines=self.deadlines.extend(set_here), ended=ended)

    def _touching(self, stream_id: str, states: Sequence[Any] | None) -> Index:
        """The index with a further block of changes of a lane, which went through these states."""
        blocks = self.touched.get(stream_id, PersistentVector())
        found = None if states is None else _touched(states)
        if blocks and blocks[-1] == found:
            found = blocks[-1]  # one object for many blocks
        return self._replace(touched=self.touched.insert(stream_id, blocks.append(found)))

    def _known(self, recorded: Sequence[RecordedEvent], at: int) -> Index:
        index = self._replace(
            events=self.events.extend(recorded),
            event_moments=self.event_moments.extend([at] * len(recorded)),
        )
        return index._projecting(recorded, at) if index.projections.types else index

    def _begin_projections(self, projections: Projections) -> Index:
        """The index with projections of what was recorded before the trace began."""
        index = self
        for projection in projections.alone:
            index = index._lane(projection, 0, kind="projection")
        return index._replace(projections=projections)._projecting(self.events, 0)

    def _projecting(self, recorded: Iterable[RecordedEvent], at: int) -> Index:
        """The index with the projections after these events, and a lane for each new instance."""
        known = len(self.projections.changes)
        index = self._replace(projections=self.projections.fold(recorded, at))
        for change in index.projections.changes.iterate(known):
            name = change.identity.stream_id
            index = index._lane(change.identity, at, kind="projection")
            if change.version % BLOCK == 0:
                changes = index.projections.histories[name][change.version - BLOCK : change.version]
                states = (changes[0].before, *(each.after for each in changes))
                index = index._touching(name, states)
        return index

    def _reacted(self, step: Step, instance: Identity, step_at: _StepAt) -> Index:
        at, stream_id = step.index, instance.stream_id
        is_there = step.before is not None or step.after is not None
        index = self._lane(instance, at, kind="process manager") if is_there else self._met(instance, at)
        moments = index.reactions.get(stream_id, PersistentVector()).append(at)
        index = index._replace(reactions=index.reactions.insert(stream_id, moments))
        if len(moments) % BLOCK:
            return index
        return index._touching(stream_id, _reacted_states(*_block(moments, step_at), step_at))

    def _met(self, identity: Identity, at: int) -> Index:
        if identity.stream_id in self.lane_numbers or identity.stream_id in self.met:
            return self
        return self._replace(met=self.met.insert(identity.stream_id, at))

    def _lane(self, identity: Identity, at: int, *, kind: Kind) -> Index:
        if identity.stream_id in self.lane_numbers:
            return self
        return self._replace(
            lanes=self.lanes.append(Lane(identity, kind, at)),
            lane_numbers=self.lane_numbers.insert(identity.stream_id, len(self.lanes)),
        )


def stream_ids(store: Any) -> list[str]:
    """The stream ids of a store, in order; none if the store cannot be iterated."""
    return sorted(store) if hasattr(store, "__iter__") else []


def _with_ends(
    ended: HashTrieMap[str, DeadlineEnd], known: int, set_here: Iterable[SetDeadline], step: Step | None
) -> HashTrieMap[str, DeadlineEnd]:
    """The mapping with the deadlines that a step set, behind ``known`` others, and those that ended there."""
    if step is not None:
        met = step.commands if isinstance(step, Elapsed) else ()
        for each in (*step.taken_off, *met):
            before = ended.get(each.command_id)
            if before is not None and before.how == "set":  # one that came due may be taken off the agenda
                how: Literal["came due", "taken off"] = "came due" if met else "taken off"
                ended = ended.insert(each.command_id, DeadlineEnd(before.number, step.index, how))
    for number, (_, pending) in enumerate(set_here, known + 1):
        ended = ended.insert(pending.command_id, DeadlineEnd(number))
    return ended


def _block(moments: PersistentVector[int], step_at: _StepAt) -> tuple[Step | None, Iterable[int]]:
    """The step of a lane before its last block, if there is one, and the moments of the block."""
    start = len(moments) - BLOCK
    return step_at(moments[start - 1]) if start else None, moments.iterate(start)


def _decided_states(previous: Step | None, moments: Iterable[int], step_at: _StepAt) -> Sequence[Any] | None:
    """The states of an aggregate over some decisions; None where others recorded events in between."""
    states, version = list[Any](), 0 if previous is None else previous.recorded[-1].stream_version
    for at in moments:
        executed, appended = step_at(at - 1), step_at(at)
        if not isinstance(executed, Executed) or not isinstance(appended, Appended):
            return None
        if version and appended.recorded[0].stream_version != version + 1:
            return None
        version = appended.recorded[-1].stream_version
        if not states or states[-1] is not executed.before:
            states.append(executed.before)
        states += appended.states or executed.states
    return states


def _reacted_states(previous: Step | None, moments: Iterable[int], step_at: _StepAt) -> Sequence[Any] | None:
    """The states of an instance over some reactions; None where it began or ended in between."""
    states = [] if previous is None else [previous.after]
    for at in moments:
        step = step_at(at)
        if not isinstance(step, AtProcessManager) or step.verb != Verb.CONTINUED:
            return None
        states += (step.before, step.after)
    return states


_PLAIN = frozenset({int, str, bool, float, bytes, Decimal, datetime, date, time, timedelta, UUID})


def _touched(states: Sequence[Any]) -> TouchedFields | None:
    """The fields that differ between states that follow each other; None where the class changes.

    A value that was made anew counts as touched, although it may be equal: only plain values are compared.
    """
    cls = type(states[0])
    names = field_names(cls)
    if not names or any(type(each) is not cls for each in states):
        return None
    try:
        return TouchedFields(cls, frozenset([name for name in names if _is_touched(states, name)]))
    except Exception:  # noqa: BLE001 - a model's class may raise anything where a field is read
        return None


def _is_touched(states: Sequence[Any], name: str) -> bool:
    values = [getattr(state, name) for state in states]
    if all(map(is_, values, values[1:])):
        return False
    return not all(
        one is other or (type(one) is type(other) and type(one) in _PLAIN and one == other)
        for one, other in pairwise(values)
    )
