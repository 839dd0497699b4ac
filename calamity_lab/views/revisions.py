"""The versions of one aggregate or process manager instance, and its state as of each of them.

What was decided in the trace is looked up. What is older, or came from others, is folded from the events of
its stream, starting from the nearest state that is known.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError, InvalidModel, Rejected
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.steps import Appended, Continued, Executed, Started, Stopped
from calamity_lab.kernel.vector import Vector
from calamity_lab.text import format_value
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace

_MOST_REMEMBERED = 256
_NO_TYPES: Mapping[str, type] = {}


class Revision(NamedTuple):
    """A version: the state as of then, what led to it, and the moment at which it came to be.

    ``state`` is None where there was none, or where it cannot be known; ``why`` then tells why. ``moment`` is
    None for a version that is older than the trace, or of which no more is known than that it was.
    """

    version: int
    state: Any
    event: str = ""
    moment: int | None = None
    why: str = ""


class Revisions:
    """All versions of one lane up to the end of the trace's branch."""

    def __init__(self, trace: Trace, lane: Lane, types: Mapping[str, type] = _NO_TYPES) -> None:
        self.trace = trace
        self.lane = lane
        self.stream_id = lane.identity.stream_id
        # What makes a state older than the trace; two labs on one store may have two classes of one name.
        self.given = types.get(lane.identity.category)
        self._last_folded: tuple[int, Any] | None = None
        known = trace.index.reactions if lane.is_manager else trace.index.decided
        self._moments: Vector[int] = known.get(self.stream_id, Vector())

    @property
    def first(self) -> int:
        """The least version of which something can be told: 0 is the aggregate before its first event."""
        return 1 if self.lane.is_manager else 0

    @property
    def last(self) -> int:
        """The version at the end of the branch."""
        return self.upto(self.trace.last)

    @property
    def seal(self) -> Any:
        """An object that is the same as long as these versions are."""
        last = self.trace[self._moments[-1]].step if self._moments else None
        return self.trace[0].stack.event_store if last is None else last

    def upto(self, moment: int) -> int:
        """The version at a moment; of an aggregate that is not read yet, that of its stream."""
        stack = self.trace[moment].stack
        if self.lane.is_manager or stack.aggregates.get(self.stream_id) is not None:
            return self._version(moment)
        version = getattr(stack.event_store, "version", None)
        return int(version(self.stream_id)) if callable(version) else self._version(moment)

    def at(self, version: int) -> Revision:
        """The state as of a version."""
        key = (id(self.seal), self.stream_id, self.given, version)
        found = _remembered.get(key)  # what is remembered holds its seal, so that no other gets its id
        if found is not None:
            return found[1]
        revision = self._reacted(version) if self.lane.is_manager else self._decided(version)
        if not revision.why:
            _remembered[key] = (self.seal, revision)
            if len(_remembered) > _MOST_REMEMBERED:
                _remembered.popitem(last=False)
        return revision

    def _version(self, moment: int) -> int:
        stack = self.trace[moment].stack
        versions = stack.process_manager_versions if self.lane.is_manager else stack.aggregate_versions
        return int(versions.get(self.stream_id, 0))

    def _reacted(self, version: int) -> Revision:
        """An instance's state after a reaction; one that stopped it shows the last state that it had."""
        place = bisect_left(self._moments, version, key=self._version)
        moment = self._moments[place] if place < len(self._moments) else 0
        step = self.trace[moment].step
        if isinstance(step, (Started, Continued, Stopped)) and self._version(moment) == version:
            trigger, state = step.trigger, step.before if isinstance(step, Stopped) else step.after
            if not isinstance(trigger, Rejected):
                return Revision(version, state, trigger.event_type, moment)
        return Revision(version, None, why="this version came about outside the trace")

    def _decided(self, version: int) -> Revision:
        """An aggregate's state after the event of that version, as it was when it was decided."""
        place = bisect_left(self._moments, version, key=self._version)
        executed, appended = self._at_moment(place)
        if appended is not None and executed is not None:
            n = version - appended.recorded[0].stream_version
            if n >= 0:
                event = appended.recorded[n].event_type
                return Revision(version, executed.states[n], event, self._moments[place])
        return self._folded(version, place)

    def _at_moment(self, place: int) -> tuple[Executed | None, Appended | None]:
        """The steps at which events of this stream were decided and recorded."""
        if not 0 <= place < len(self._moments):
            return None, None
        moment = self._moments[place]
        executed, appended = self.trace[moment - 1].step, self.trace[moment].step
        assert isinstance(appended, Appended)
        return executed if isinstance(executed, Executed) else None, appended

    def _folded(self, version: int, place: int) -> Revision:
        try:
            since, state = self._known_before(version, place)
            store = self.trace[self.trace.last].stack.event_store
            # One more than is folded, so that a state that is known needs no other look for what led to it.
            first = max(since, 1)
            events = list(islice(store.stream(self.stream_id, start_version=first), version - first + 1))
            if len(events) < version - first + 1:
                return Revision(version, None, why="the events that led to it are not here")
            state = callbacks.fold(state, [each.event for each in events if each.stream_version > since])
        except CalamityError as error:
            return Revision(version, None, why=format_value(str(error), 200))
        self._last_folded = (version, state)
        return Revision(version, state, events[-1].event_type if events else "")

    def _known_before(self, version: int, place: int) -> tuple[int, Any]:
        """The nearest known state that is not later than a version."""
        known = [] if self._last_folded is None else [self._last_folded]
        executed, appended = self._at_moment(place - 1)
        if executed is not None and appended is not None:
            known.append((appended.recorded[-1].stream_version, executed.states[-1]))
        begun = self.trace[0].stack.aggregates.get(self.stream_id)
        if begun is not None:
            known.append((self._version(0), begun))
        fitting = [each for each in known if each[0] <= version]
        if fitting:
            return max(fitting, key=lambda each: each[0])
        return 0, callbacks.new(self._class(place), self.lane.identity.id)

    def _class(self, place: int) -> type:
        appended = self._at_moment(place)[1] or self._at_moment(len(self._moments) - 1)[1]
        cls = self.given
        if cls is None and appended is not None:
            cls = appended.identity.type
        if isinstance(cls, type):
            return cls
        raise InvalidModel(f"the class {self.lane.identity.category} is not known here")


_remembered: OrderedDict[tuple[int, str, type | None, int], tuple[Any, Revision]] = OrderedDict()
