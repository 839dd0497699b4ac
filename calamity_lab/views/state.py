"""The state at the cursor: aggregates, process manager instances and projections, what changed first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from calamity_lab.kernel.identity import Identity
from calamity_lab.text import format_value
from calamity_lab.trace.index import Kind, Lane
from calamity_lab.trace.projections import BrokenProjection
from calamity_lab.trace.trace import Trace
from calamity_lab.views.counters import counters
from calamity_lab.views.paths import FieldHistory, FieldRow, differ, unfolded
from calamity_lab.views.search_index import matching, members
from calamity_lab.views.versions import Present, Versions, field_history

_NOT_READ = (FieldRow("not loaded yet", "a command loads it when needed", None, changed=False),)


@dataclass(frozen=True, slots=True)
class AsOf:
    """The version that a row shows instead of the current one, of the versions ``first`` to ``last``.

    ``event`` made the version at ``moment``, if that is known; ``is_future``: it is later than the cursor.
    ``why`` says why its state cannot be shown, if it cannot.
    """

    version: int
    first: int
    last: int
    event: str
    moment: int | None
    is_future: bool
    why: str


@dataclass(frozen=True, slots=True)
class StateRow:
    """An aggregate, an instance or a projection, and what the command at the cursor changed.

    ``is_new``: it was not there before that command; ``gone``: the command's event stopped it. ``as_of`` is
    the version of its fields, if it is not the current one; then the changes are those of this version.
    ``note`` says why there are no fields.
    """

    stream_id: str
    category: str
    kind: Kind
    version: int
    changed: bool
    is_new: bool
    gone: bool
    fields: tuple[FieldRow, ...]
    as_of: AsOf | None = None
    note: str = ""


class Touched(NamedTuple):
    """What a command did to one lane: the states before and after it, or the last state."""

    lane: Lane
    before: Any
    after: Any
    last: Any


class Kept(NamedTuple):
    """A row, and what it was made from."""

    state: Any
    version: int
    unfold: Sequence[str]
    row: StateRow


class KeptRows:
    """The rows of lanes that a command did not change, kept from before: most of the rows in sight.

    States are values, so one that is the same object has the same row.
    """

    _MOST = 256

    def __init__(self) -> None:
        self._rows: dict[str, Kept] = {}

    def of(self, lane: Lane, state: Any, version: int, unfold: Sequence[str]) -> StateRow:
        """The row of a lane with this state and version; the state is None if it is not loaded yet."""
        name = lane.identity.stream_id
        kept = self._rows.get(name)
        if kept and kept.state is state and kept.version == version and kept.unfold == unfold:
            return kept.row
        note, read = _read(state)
        fields = _NOT_READ if state is None else unfolded(read, read, unfold)
        if len(self._rows) >= self._MOST:
            self._rows.clear()
        self._rows[name] = Kept(state, version, unfold, _dressed(lane, version, fields, note=note))
        return self._rows[name].row


class Drawing(NamedTuple):
    """What the rows at a moment are made from, and what each of them shows."""

    trace: Trace
    cursor: int
    present: Present
    unfold: Mapping[str, Sequence[str]]
    histories: Mapping[str, Sequence[str]]
    as_of: Mapping[str, int]
    types: Mapping[str, type]
    kept: KeptRows

    def row(self, lane: Lane, touched: Touched | None = None) -> StateRow:
        """The row of a lane; ``touched`` if the command changed the lane."""
        stream_id = lane.identity.stream_id
        paths = self.histories.get(stream_id, ())
        if stream_id not in self.as_of and not paths:
            return self._present(lane, touched, self.unfold.get(stream_id, ()), {})
        versions = Versions(self.trace, lane, self.types)
        histories = {path: field_history(versions, path, self.cursor) for path in paths}
        if stream_id in self.as_of:
            return self._as_of(lane, versions, histories)
        return self._present(lane, touched, self.unfold.get(stream_id, ()), histories)

    def pinned(self, stream_id: str, touched: Mapping[int, Touched]) -> StateRow:
        """The row of a pinned lane, even if the lane does not exist at the cursor."""
        index = self.trace.index
        number = index.lane_numbers.get(stream_id)
        if number is None:
            identity = Identity.parse(stream_id)
            lane = Lane(identity, _kind_of(self.types.get(identity.category)), 0)
            return _dressed(lane, 0, (), note="not on this branch")
        lane = index.lanes[number]
        if stream_id in self.as_of or number in touched or _is_there(self.trace, lane, self.cursor):
            return self.row(lane, touched.get(number))
        return absent(self.trace, self.cursor, lane)

    def mentions(self, lane: Lane, touched: Touched | None, wanted: str) -> bool:
        """Whether the row of a lane contains a text; what is unfolded does not matter."""
        return _row_matches(self._present(lane, touched, (), {}), wanted)

    def _present(
        self,
        lane: Lane,
        touched: Touched | None,
        unfold: Sequence[str],
        histories: Mapping[str, FieldHistory],
    ) -> StateRow:
        version = self.present.version(lane)
        if touched is None:
            now = self.present.state(lane)
            if now is None or not histories:
                return self.kept.of(lane, now, version, unfold)
            return _dressed(lane, version, unfolded(now, now, unfold, histories))
        _, before, after, last = touched
        gone = after is None
        now, before = (last, last) if gone else (after, before)
        note, now = _read(now)
        fields = unfolded(now, before, unfold, histories)
        return _dressed(
            lane, version, fields, changed=True, is_new=touched.before is None, gone=gone, note=note
        )

    def _as_of(self, lane: Lane, versions: Versions, histories: Mapping[str, FieldHistory]) -> StateRow:
        stream_id = lane.identity.stream_id
        first, last = versions.first, versions.last
        version = max(first, min(self.as_of[stream_id], last))
        revision = versions.at(version)
        earlier = versions.at(version - 1) if version > first else revision
        # If the earlier version is not known, the state is compared with itself and has no changes.
        before = revision.state if earlier.why else earlier.state
        now = versions.upto(self.cursor)
        as_of = AsOf(version, first, last, revision.event, revision.moment, version > now, revision.why)
        fields = unfolded(revision.state, before, self.unfold.get(stream_id, ()), histories)
        return replace(_dressed(lane, now, fields, note=revision.why), as_of=as_of)


def absent(trace: Trace, cursor: int, lane: Lane) -> StateRow:
    """The row of a stream that is not there at the cursor."""
    note = "not there yet" if lane.since > cursor else "no longer there"
    return _dressed(lane, Present.of(trace, cursor).version(lane), (), note=note)


def _is_there(trace: Trace, lane: Lane, cursor: int) -> bool:
    number = trace.index.lane_numbers[lane.identity.stream_id]
    return bool(counters(trace, cursor).living >> number & 1)


def _dressed(
    lane: Lane,
    version: int,
    fields: tuple[FieldRow, ...],
    *,
    changed: bool = False,
    is_new: bool = False,
    gone: bool = False,
    note: str = "",
) -> StateRow:
    identity: Identity = lane.identity
    stream_id, category = format_value(identity.stream_id), identity.category
    return StateRow(stream_id, category, lane.kind, version, changed, is_new, gone, fields, note=note)


def _row_matches(row: StateRow, wanted: str) -> bool:
    if wanted in row.stream_id.casefold():
        return True
    return any(wanted in field.name.casefold() or wanted in field.value.casefold() for field in row.fields)


def _kind_of(cls: type | None) -> Kind:
    if hasattr(cls, "interested"):
        return "process manager"
    return "aggregate" if cls is None or hasattr(cls, "execute") else "projection"


def _read(state: Any) -> tuple[str, Any]:
    """What to say of a state, and the state to show: of a broken projection the last one before it broke."""
    if type(state) is not BrokenProjection:
        return "", state
    return str(state), state.state


__all__ = ["AsOf", "FieldRow", "StateRow", "StateView", "state"]

_NO_TYPES: Mapping[str, type] = MappingProxyType({})

FieldAddress = tuple[str, str]
"""A stream id and the path of one of its fields."""


@dataclass(frozen=True, slots=True)
class StateView:
    """The pinned rows, and a window on the other rows that match: changed ones first, then by appearance.

    ``total`` and ``matching`` do not count the pinned ones. ``unfolded``, ``histories`` and ``as_of`` are
    what was asked for, in sight or not.
    """

    query: str
    total: int
    matching: int
    first: int
    rows: tuple[StateRow, ...]
    pinned: tuple[StateRow, ...] = ()
    unfolded: tuple[FieldAddress, ...] = ()
    histories: tuple[FieldAddress, ...] = ()
    as_of: tuple[tuple[str, int], ...] = ()


def state(
    trace: Trace,
    cursor: int,
    *,
    query: str = "",
    first: int = 0,
    limit: int = 40,
    pinned: Sequence[str] = (),
    unfolded: Sequence[FieldAddress] = (),
    histories: Sequence[FieldAddress] = (),
    as_of: Sequence[tuple[str, int]] = (),
    types: Mapping[str, type] = _NO_TYPES,
    kept: KeptRows | None = None,
) -> StateView:
    """The state at the cursor: ``limit`` rows from index ``first`` on, of those that contain the query.

    The query is looked for in what the rows show: stream id, fields' names and values, whatever the case.
    The ``pinned`` streams come apart from them, in that order, whatever the query. The paths in ``unfolded``
    show what lies in them, those in ``histories`` their values over time. ``as_of`` shows streams as of a
    version; ``types`` are the classes by name with which a state older than the trace is made. ``kept``,
    given again at the next moment, spares drawing rows that stay as they are.
    """
    kept = KeptRows() if kept is None else kept
    present = Present.of(trace, cursor)
    looks = _by_stream(unfolded), _by_stream(histories), dict(as_of)
    drawn = Drawing(trace, cursor, present, *looks, types, kept)
    wanted = query.strip().casefold()
    living, touched, numbers = (
        counters(trace, cursor).living,
        _touched(trace, present),
        trace.index.lane_numbers,
    )
    held = {numbers[each] for each in pinned if each in numbers}
    changed = [each for number, each in touched.items() if number not in held]
    rest = living
    for lane in {*touched, *held}:
        rest &= ~(1 << lane)
    total = len(changed) + rest.bit_count()
    if wanted:
        changed = [each for each in changed if drawn.mentions(each.lane, each, wanted)]
        lanes = trace.index.lanes
        found = matching(trace, cursor, wanted, living, lambda n: drawn.mentions(lanes[n], None, wanted))
        rest &= found
    count = len(changed) + rest.bit_count()
    first = max(min(first, count - 1), 0)
    rows = [drawn.row(each.lane, each) for each in changed[first : first + limit]]
    unchanged = members(rest, max(first - len(changed), 0), max(limit - len(rows), 0))
    rows += [drawn.row(trace.index.lanes[lane]) for lane in unchanged]
    pins = tuple([drawn.pinned(each, touched) for each in dict.fromkeys(pinned)])
    asked = (tuple(unfolded), tuple(histories), tuple(as_of))
    return StateView(query, total, count, first, tuple(rows), pins, *asked)


def _by_stream(looks: Sequence[FieldAddress]) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {}
    for stream_id, path in looks:
        paths.setdefault(stream_id, []).append(path)
    return paths


def _touched(trace: Trace, present: Present) -> dict[int, Touched]:
    """The lanes that the command of a moment has changed by then, by number."""
    index, cursor = trace.index, present.moment
    start = index.command_start(cursor)
    if not start:
        return {}
    earlier = Present.of(trace, start - 1)
    first: dict[str, Any] = {}
    ended: dict[str, Any] = {}
    for moment in trace.branch.moments.iterate(start, cursor + 1):
        step = moment.step
        if step is None or step.stream_id is None or (step.before is None and step.after is None):
            continue
        first.setdefault(step.stream_id, step.before)
        if step.after is None:
            ended[step.stream_id] = step.before
    found = {}
    for stream_id, met in first.items():
        number = index.lane_numbers.get(stream_id)
        if number is not None and index.lanes[number].since <= cursor:
            lane = index.lanes[number]
            # A state that was not in the store before may have been loaded from its stream by this command.
            old, new = earlier.state(lane), present.state(lane)
            old = met if old is None else old
            last = ended.get(stream_id) if new is None else None
            if last is not None or (new is not None and differ(old, new)):
                found[number] = Touched(lane, old, new, last)
    for change in index.projections.between(start - 1, cursor):
        number = index.lane_numbers[change.identity.stream_id]
        met = found.get(number)
        before = _read(change.before)[1] if met is None else met.before
        found[number] = Touched(index.lanes[number], before, change.after, None)
    return dict(sorted(found.items()))
