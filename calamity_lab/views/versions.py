"""The versions of aggregates, instances and projections, the state as of each, and histories of fields.

A state that was decided in the trace is looked up. One that is older, or came from others, is folded from
the events of its stream, starting from the nearest state that is known.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice, pairwise, takewhile
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError, InvalidModel, InvalidValue, Rejected, repr_of
from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.event_store import checked_stream_id
from calamity_lab.kernel.folding import begun, fold, identity_in
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, AtProcessManager, Executed
from calamity_lab.text import format_value
from calamity_lab.trace.differences import ABSENT
from calamity_lab.trace.index import Kind, Lane
from calamity_lab.trace.projections import BrokenProjection, Projections
from calamity_lab.trace.trace import Trace
from calamity_lab.views.paths import FieldHistory, differ, inner_changes, state_at, state_fields

_NO_TYPES: Mapping[str, type] = MappingProxyType({})


class Present(NamedTuple):
    """What is there at a moment: the state and the version of each lane."""

    moment: int
    stack: Stack
    projections: Projections
    projected: PersistentMap[Any]

    @classmethod
    def of(cls, trace: Trace, moment: int) -> Present:
        """What is there at that moment of a trace."""
        index = trace.index
        return cls(moment, trace[moment].stack, index.projections, index.projected_at(moment))

    def state(self, lane: Lane) -> Any:
        """The state of a lane; None if there is none, or it is not loaded yet."""
        if lane.kind == "projection":
            return self.projected.get(lane.identity.stream_id)
        stack = self.stack
        store = stack.process_managers if lane.kind == "process manager" else stack.aggregates
        return store.get(lane.identity.stream_id)

    def version(self, lane: Lane) -> int:
        """How many events the lane has taken in."""
        name, stack = lane.identity.stream_id, self.stack
        if lane.kind == "projection":
            return self.projections.version(name, self.moment)
        is_manager = lane.kind == "process manager"
        versions = stack.process_manager_versions if is_manager else stack.aggregate_versions
        return int(versions.get(name, 0))


class Version(NamedTuple):
    """A version: its state, the event that led to it, and its moment.

    ``state`` is None if there was none, or if it is not known; then ``why`` says why. ``moment`` is None for
    a version that is older than the trace, or whose moment is not known.
    """

    version: int
    state: Any
    event: str = ""
    moment: int | None = None
    why: str = ""


_VERSIONS = Slot[Version](most=256)


class Versions:
    """All versions of one lane up to the end of the trace's branch."""

    def __init__(self, trace: Trace, lane: Lane, types: Mapping[str, type] = _NO_TYPES) -> None:
        self.trace = trace
        self.lane = lane
        self.stream_id = lane.identity.stream_id
        # The class for states older than the trace; two labs on one store may have classes of one name.
        self.given = types.get(lane.identity.category)
        self._last_folded: tuple[int, Any] | None = None
        known = trace.index.reactions if lane.kind == "process manager" else trace.index.decided
        self._moments: PersistentVector[int] = known.get(self.stream_id, PersistentVector())
        self._changes = trace.index.projections.histories.get(self.stream_id, PersistentVector())

    @property
    def first(self) -> int:
        """The first version that can be shown: 0 is the aggregate or projection before its first event."""
        if self.lane.kind == "projection":
            return 0 if self.lane.identity.id is None else 1
        return 1 if self.lane.kind == "process manager" else 0

    @property
    def last(self) -> int:
        """The version at the end of the branch."""
        return self.upto(self.trace.last)

    @property
    def token(self) -> Any:
        """An identity token: an object that changes when the versions do."""
        if self._changes:
            return self._changes[-1]
        last = self.trace[self._moments[-1]].step if self._moments else None
        return self.trace[0].stack.event_store if last is None else last

    def upto(self, moment: int) -> int:
        """The version at a moment; the version of the stream if the aggregate is not loaded yet."""
        stack = self.trace[moment].stack
        if self.lane.kind != "aggregate" or stack.aggregates.get(self.stream_id) is not None:
            return self._version(moment)
        version = getattr(stack.event_store, "version", None)
        return int(version(self.stream_id)) if callable(version) else self._version(moment)

    def at(self, version: int) -> Version:
        """The state as of a version."""
        memo, token, key = self.trace.memo, self.token, (self.stream_id, self.given, version)
        found = memo.recall(_VERSIONS, token, key=key)
        if found is None:
            found = self._ways[self.lane.kind](version)
            if not found.why:
                memo.keep(_VERSIONS, found, token, key=key)
        return found

    @property
    def _ways(self) -> Mapping[Kind, Callable[[int], Version]]:
        """How the state of a version is found."""
        return {
            "aggregate": self._decided,
            "process manager": self._reacted,
            "projection": self._projected,
        }

    def _version(self, moment: int) -> int:
        return Present.of(self.trace, moment).version(self.lane)

    def _projected(self, version: int) -> Version:
        """The state of a projection after the event that changed it so often."""
        index = self.trace.index
        if not self._changes or not version:
            return Version(version, index.projections.states[0].get(self.stream_id), moment=0)
        change = self._changes[version - 1]
        event = index.events[change.event - 1].event_type
        if type(change.after) is BrokenProjection:
            return Version(version, None, event, change.moment, f"broken: {change.after.problem}")
        return Version(version, change.after, event, change.moment)

    def _reacted(self, version: int) -> Version:
        """The state of an instance after a reaction; its last state if the reaction stopped it."""
        found_at = bisect_left(self._moments, version, key=self._version)
        moment = self._moments[found_at] if found_at < len(self._moments) else 0
        step = self.trace[moment].step
        if isinstance(step, AtProcessManager) and self._version(moment) == version:
            trigger, state = step.trigger, step.before if step.after is None else step.after
            if not isinstance(trigger, Rejected):
                return Version(version, state, trigger.event_type, moment)
        return Version(version, None, why="this version is not in the recorded run")

    def _decided(self, version: int) -> Version:
        """The state of an aggregate after the event of that version, as the aggregate decided it."""
        found_at = bisect_left(self._moments, version, key=self._version)
        executed, appended = self._at_moment(found_at)
        if appended is not None and executed is not None:
            n = version - appended.recorded[0].stream_version
            if n >= 0:
                event = appended.recorded[n].event_type
                states = appended.states or executed.states
                return Version(version, states[n], event, self._moments[found_at])
        return self._folded(version, found_at)

    def _at_moment(self, found_at: int) -> tuple[Executed | None, Appended | None]:
        """The steps at which events of this stream were decided and recorded."""
        if not 0 <= found_at < len(self._moments):
            return None, None
        moment = self._moments[found_at]
        executed, appended = self.trace[moment - 1].step, self.trace[moment].step
        assert isinstance(appended, Appended)
        return executed if isinstance(executed, Executed) else None, appended

    def _folded(self, version: int, found_at: int) -> Version:
        try:
            since, state = self._known_before(version, found_at)
            store = self.trace[self.trace.last].stack.event_store
            # One event more than is folded: its type names what led to a known state.
            stream = store.stream(self.stream_id, start_version=max(since, 1))
            events = list(takewhile(lambda each: each.stream_version <= version, stream))
            if version and (not events or events[-1].stream_version != version):
                return Version(version, None, why="the events of this version are not in the event store")
            state = fold(state, [each for each in events if each.stream_version > since])
        except CalamityError as error:
            return Version(version, None, why=format_value(str(error), 200))
        self._last_folded = (version, state)
        return Version(version, state, events[-1].event_type if events else "")

    def _known_before(self, version: int, found_at: int) -> tuple[int, Any]:
        """The nearest known state that is not later than a version."""
        known = [] if self._last_folded is None else [self._last_folded]
        executed, appended = self._at_moment(found_at - 1)
        if executed is not None and appended is not None:
            states = appended.states or executed.states
            known.append((appended.recorded[-1].stream_version, states[-1]))
        at_start = self.trace[0].stack.aggregates.get(self.stream_id)
        if at_start is not None:
            known.append((self._version(0), at_start))
        fitting = [each for each in known if each[0] <= version]
        if fitting:
            return max(fitting, key=lambda each: each[0])
        return 0, begun(identity_in(self._class(found_at), self.stream_id))

    def _class(self, found_at: int) -> type:
        appended = self._at_moment(found_at)[1] or self._at_moment(len(self._moments) - 1)[1]
        cls = self.given
        if cls is None and appended is not None:
            cls = appended.identity.type
        if isinstance(cls, type):
            return cls
        raise InvalidModel(f"the class {self.lane.identity.category} is not known here")


POINTS = 128
"""A history has at most this many points: every second or fourth version is read, and so on."""
CHANGES = 12
"""At most this many changes are listed."""

_LENGTH = 80
_LATER = 4
_MOST_VIEWS = 8


class _Point(NamedTuple):
    version: int
    moment: int | None
    value: Any


class _Looked(NamedTuple):
    """The points of a history, and its views by the version at the cursor."""

    every: int
    points: list[_Point]
    by_cursor: dict[int, FieldHistory]


_HISTORIES = Slot[_Looked](most=64)


def field_history(versions: Versions, path: str, cursor: int) -> FieldHistory:
    """The history of the value at a path, up to the end of the branch."""
    looked, now = _look(versions, path), versions.upto(cursor)
    if now not in looked.by_cursor:
        if len(looked.by_cursor) >= _MOST_VIEWS:
            looked.by_cursor.clear()
        looked.by_cursor[now] = _drawn(looked, now)
    return looked.by_cursor[now]


def _drawn(looked: _Looked, now: int) -> FieldHistory:
    points = looked.points
    numbers = [_number(point.value) for point in points]
    if any(number is not None for number in numbers) and all(
        number is not None or point.value is None or point.value is ABSENT
        for number, point in zip(numbers, points, strict=True)
    ):
        return _sparkline(points, numbers, now, looked.every)
    return _changes(points, now, looked.every)


def _sparkline(
    points: Sequence[_Point], numbers: Sequence[float | None], now: int, every: int
) -> FieldHistory:
    there = [
        (number, point.value) for number, point in zip(numbers, points, strict=True) if number is not None
    ]
    (least, lowest), (most, highest) = min(there, key=itemgetter(0)), max(there, key=itemgetter(0))
    span = most / 2 - least / 2  # halves, since the whole may be beyond a float
    heights = [
        None if number is None else round((number / 2 - least / 2) / span, 4) if span else 0.5
        for number in numbers
    ]
    return FieldHistory(
        "numbers",
        *_columns(points),
        tuple(heights),
        sum(point.version <= now for point in points),
        format_value(lowest, _LENGTH),
        format_value(highest, _LENGTH),
        every,
        0,
    )


def _changes(points: Sequence[_Point], now: int, every: int) -> FieldHistory:
    changes = [
        *points[:1],
        *(point for before, point in pairwise(points) if differ(before.value, point.value)),
    ]
    past = sum(point.version <= now for point in changes)
    last = min(len(changes), max(past + _LATER, CHANGES))
    first = max(0, last - CHANGES)
    versions, moments, _ = _columns(changes[first:last])
    values = tuple(_value_or_changes(changes, n) for n in range(first, last))
    return FieldHistory("changes", versions, moments, values, (), past - first, "", "", every, first)


def _value_or_changes(changes: Sequence[_Point], index: int) -> str:
    """The text of a value; if it would be cut, what changed inside it since the value before."""
    value = changes[index].value
    text = _text(value)
    if not index or len(text) < _LENGTH:
        return text
    first, more = inner_changes(changes[index - 1].value, value, 2)
    return "; ".join([*map(str, first), *([f"{more:,} more"] if more else [])]) or text


def _columns(points: Sequence[_Point]) -> tuple[tuple[int, ...], tuple[int | None, ...], tuple[str, ...]]:
    """The versions, the moments and the values of points."""
    texts = tuple(_text(point.value) for point in points)
    return tuple(point.version for point in points), tuple(point.moment for point in points), texts


def _look(versions: Versions, path: str) -> _Looked:
    """The points by version, read once until a further version comes."""
    last = versions.last

    def look() -> _Looked:
        every = 1
        while last // every > POINTS:
            every *= 2
        looked_at = dict.fromkeys([*range(every, last + 1, every), last]) if last else {}
        points = [_point(versions, version, path) for version in looked_at]
        return _Looked(every, [point for point in points if point is not None], {})

    key = (versions.stream_id, versions.given, path, last)
    return versions.trace.memo.once(_HISTORIES, look, versions.token, key=key)


def _point(versions: Versions, version: int, path: str) -> _Point | None:
    """The value at a version; None if the state is not known."""
    found = versions.at(version)
    if found.state is None:
        return None
    return _Point(version, found.moment, state_at(found.state, path))


def _number(value: Any) -> float | None:
    if is_a(value, timedelta):
        return float(value.total_seconds())
    if is_a(value, bool) or not is_a(value, int, float, Decimal):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):  # beyond a float, or a signalling NaN: shown as a text
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    return "not there" if value is ABSENT else format_value(value, _LENGTH)


_MOST_NAMED = 8
_MOST_COMPARED = 1_000


def history_of(
    trace: Trace, cursor: int, stream_id: str, field: str, *, types: Mapping[str, type] = _NO_TYPES
) -> FieldHistory:
    """What a field of a stream's state was as of each version, as in ``"Order-7"``, ``"lines[0].price"``."""
    versions = Versions(trace, lane_named(trace, stream_id), types)
    now = versions.at(max(versions.first, versions.upto(cursor))).state
    last = versions.at(versions.last).state
    if all(state is not None and state_at(state, field) is ABSENT for state in (now, last)):
        raise InvalidValue(f"{stream_id} has no field {repr_of(field)}. Fields: {_named(state_fields(last))}")
    return field_history(versions, field, cursor)


def history_of_values(values: Sequence[Any]) -> FieldHistory:
    """The values of a watch from moment 0 on, where they change; of many, some that are evenly spread."""
    last, every = len(values) - 1, 1
    while last // every > POINTS * 4:
        every *= 2
    points = [_Point(at, at, values[at]) for at in dict.fromkeys([*range(0, last + 1, every), last])]
    changes = [
        point
        for n, point in enumerate(points)
        if not 0 < n < len(points) - 1 or differ(points[n - 1].value, point.value)
    ]
    return _drawn(_Looked(every, changes, {}), last)


def lane_named(trace: Trace, stream_id: Any) -> Lane:
    """The lane with that stream id or `Identity`; the error for any other names those that are near."""
    name, index = checked_stream_id(stream_id, "give the id of a stream"), trace.index
    number = index.lane_numbers.get(name)
    if number is not None:
        return index.lanes[number]
    known = [
        lane.identity.stream_id for lane in index.lanes.iterate(0, min(len(index.lanes), _MOST_COMPARED))
    ]
    near = [each for each in known if each.partition("-")[2] == name] or get_close_matches(name, known)
    meant = f"Did you mean {_named(near)}?" if near else f"Streams: {_named(known)}"
    raise InvalidValue(f"There is no stream {repr_of(name)} in this run. {meant}")


def _named(names: Collection[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(format_value(name, 60) for name in islice(names, _MOST_NAMED))}{more}"
