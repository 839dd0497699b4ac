"""The projections of a trace: folded from its events one by one, and kept after each event.

What is kept is a value that the index of a branch holds, so branches share what they have in common. A
callback that fails stops its own projection and nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rpds import HashTrieMap

from calamity_lab.errors import InvalidModel, ModelError
from calamity_lab.kernel import ask
from calamity_lab.kernel.folding import instance_of, is_unknown, projected
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.trace.differences import differences

STRIDE = 64
"""Histories are kept after so many changes, so that a fork need not cut all of them."""


@dataclass(frozen=True, slots=True)
class BrokenProjection:
    """A projection whose callback failed on an event. It is given no more events.

    ``state`` is the state before that event; None where there was none. ``error`` names the callback.
    """

    since: str
    problem: str
    state: Any
    error: ModelError = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"Broken since {self.since}: {self.problem}"


class ProjectionChange(NamedTuple):
    """What an event did to an instance of a projection.

    ``event`` is the number of the event among all, from 1, and ``version`` that of the change among those of
    the instance. ``before`` is None where the event made the instance.
    """

    identity: Identity
    event: int
    moment: int
    version: int
    before: Any
    after: Any


class Projections(NamedTuple):
    """The projections after each event.

    ``states`` has the states by stream id: first those before any event, then those after each.
    ``changes`` are all changes in order, ``histories`` those of each instance by stream id, and ``broken``
    those at which an instance broke; one that broke before any event did at event 0. ``earlier`` are the
    histories after every `STRIDE` changes: going back starts from the nearest, whatever their number.
    ``later`` are those of a trace that went on from here, where this is an earlier moment of the trace.
    """

    types: tuple[type, ...] = ()
    states: PersistentVector[PersistentMap[Any]] = PersistentVector([PersistentMap()])
    changes: PersistentVector[ProjectionChange] = PersistentVector()
    histories: HashTrieMap[str, PersistentVector[ProjectionChange]] = HashTrieMap()
    broken: PersistentVector[ProjectionChange] = PersistentVector()
    earlier: PersistentVector[HashTrieMap[str, PersistentVector[ProjectionChange]]] = PersistentVector(
        [HashTrieMap()]
    )
    later: Projections | None = None

    @classmethod
    def of(cls, types: Iterable[type], streams: Iterable[str] = ()) -> Projections:
        """The projections before any event; raises `InvalidModel` where one has the name of these streams."""
        types = tuple(types)
        categories = {stream_id.partition("-")[0] for stream_id in streams} if types else ()
        for each in types:
            if stored_name(each) in categories:
                raise InvalidModel(
                    f"The projection {each.__name__} has the name of streams in the history, as in "
                    f"'{stored_name(each)}-1'. Rename the class, or write stored_name = '...' in its body"
                )
        projections = cls(types)
        begun = {each: _begun(each) for each in projections.alone}
        states = PersistentMap({each.stream_id: state for each, state in begun.items()})
        broken = [ProjectionChange(each, 0, 0, 0, None, state) for each, state in begun.items()]
        return projections._replace(
            states=PersistentVector([states]), broken=PersistentVector(filter(_breaks, broken))
        )

    @property
    def alone(self) -> tuple[Identity, ...]:
        """The projections with one instance, which is there before any event."""
        return tuple(Identity.alone(each) for each in self.types if not ask.is_keyed(each))

    def fold(self, recorded: Iterable[RecordedEvent], moment: int) -> Projections:
        """The projections after further events, which came to be known at that moment."""
        if self.later is not None:
            return self.later.upto(len(self.states) - 1 + len(list(recorded)))._replace(later=self.later)
        now, states = self.states[-1], list[PersistentMap[Any]]()
        changes, histories, earlier = list[ProjectionChange](), self.histories, self.earlier
        for event in recorded:
            number = len(self.states) + len(states)
            for cls in () if is_unknown(event.event) else self.types:
                found = _after(cls, now, event)
                if found is None:
                    continue
                identity, before, after = found
                name = identity.stream_id
                history = histories.get(name, _NO_CHANGES)
                change = ProjectionChange(identity, number, moment, len(history) + 1, before, after)
                changes.append(change)
                histories = histories.insert(name, history.append(change))
                now = now.insert(name, after)
                if (len(self.changes) + len(changes)) % STRIDE == 0:
                    earlier = earlier.append(histories)
            states.append(now)
        broken = self.broken.extend(filter(_breaks, changes))
        return Projections(
            self.types,
            self.states.extend(states),
            self.changes.extend(changes),
            histories,
            broken,
            earlier,
        )

    def between(self, start: int, moment: int) -> Iterator[ProjectionChange]:
        """The changes after one moment up to another."""
        since, upto = (bisect_right(self.changes, each, key=_moment) for each in (start, moment))
        return self.changes.iterate(since, upto)

    def version(self, name: str, moment: int) -> int:
        """How many events have changed an instance by that moment."""
        return bisect_right(self.histories.get(name, _NO_CHANGES), moment, key=_moment)

    def upto(self, count: int) -> Projections:
        """The projections as they were after so many events."""
        if not self.types:
            return self
        there = bisect_right(self.changes, count, key=_event)
        nearest = there // STRIDE
        histories = self.earlier[nearest]
        for change in self.changes.iterate(nearest * STRIDE, there):
            name = change.identity.stream_id
            histories = histories.insert(name, self.histories[name].take(change.version))
        return Projections(
            self.types,
            self.states.take(count + 1),
            self.changes.take(there),
            histories,
            self.broken.take(bisect_right(self.broken, count, key=_event)),
            self.earlier.take(nearest + 1),
        )


_NO_CHANGES: PersistentVector[ProjectionChange] = PersistentVector()


def _breaks(change: ProjectionChange) -> bool:
    return type(change.after) is BrokenProjection


def _event(change: ProjectionChange) -> int:
    return change.event


def _moment(change: ProjectionChange) -> int:
    return change.moment


def _begun(identity: Identity) -> Any:
    try:
        return ask.new_projection(identity.type)
    except ModelError as error:
        return BrokenProjection("the beginning", str(error), None, error)


def _after(
    cls: type, states: PersistentMap[Any], recorded: RecordedEvent
) -> tuple[Identity, Any, Any] | None:
    """The instance that an event changes, and its states before and after; None where it changes nothing."""
    # Where the key cannot be had, no instance goes on: that is kept under the name of the projection.
    identity = Identity.alone(cls)
    before = states.get(identity.stream_id)
    try:
        if type(before) is BrokenProjection or (found := instance_of(cls, recorded)) is None:
            return None
        identity, before = found, states.get(found.stream_id)
        if type(before) is BrokenProjection:
            return None
        after = projected(identity, before, recorded)
    except ModelError as error:
        since = f"{recorded.event_type} #{recorded.position}"
        return identity, before, BrokenProjection(since, str(error), before, error)
    is_same = after is before or (before is not None and next(differences(before, after), None) is None)
    return None if is_same else (identity, before, after)
