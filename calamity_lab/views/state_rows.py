"""The rows of the state: what an aggregate or an instance is at a moment, or was as of a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.stack import Stack
from calamity_lab.text import format_value
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace
from calamity_lab.views.revisions import Revisions
from calamity_lab.views.state_history import FieldHistory, field_history
from calamity_lab.views.tally import tally
from calamity_lab.views.unfolded import FieldRow, unfolded

_NOT_READ = (FieldRow("not read yet", "when a command needs it", None, changed=False),)

Kind = Literal["aggregate", "process manager"]


@dataclass(frozen=True, slots=True)
class AsOf:
    """The version that a row shows in place of the present one, of those from ``first`` to ``last``.

    ``event`` is what made it, ``moment`` when, where that is known; ``is_future`` is what is later than the
    cursor. ``why`` tells why its state cannot be shown, where it cannot.
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
    """An aggregate or an instance: what the command of the cursor's moment made of it.

    ``is_new``: it was not there before that command; ``gone``: the command's event stopped it. ``as_of`` is
    the version that its fields are of, where that is not the present one; changed is then what that version
    changed. ``note`` tells why there are no fields.
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
    """What the command did to one lane: the states before it and now, or the last one."""

    lane: Lane
    before: Any
    after: Any
    last: Any


class Kept(NamedTuple):
    """A row that was drawn, and what it was drawn from."""

    state: Any
    version: int
    unfold: Sequence[str]
    row: StateRow


class KeptRows:
    """The rows of lanes that a command left alone, as they were drawn before: most of what is in sight.

    States are values, so one that is the same object has the same row.
    """

    _MOST = 256

    def __init__(self) -> None:
        self._rows: dict[str, Kept] = {}

    def of(self, lane: Lane, state: Any, version: int, unfold: Sequence[str]) -> StateRow:
        """The row of a lane with this state and version; None is a state that was not read yet."""
        name = lane.identity.stream_id
        kept = self._rows.get(name)
        if kept and kept.state is state and kept.version == version and kept.unfold == unfold:
            return kept.row
        fields = _NOT_READ if state is None else unfolded(state, state, unfold)
        if len(self._rows) >= self._MOST:
            self._rows.clear()
        self._rows[name] = Kept(state, version, unfold, _dressed(lane, version, fields))
        return self._rows[name].row


class Drawing(NamedTuple):
    """What the rows at a moment are made from, and how each of them is looked at."""

    trace: Trace
    cursor: int
    unfold: Mapping[str, Sequence[str]]
    histories: Mapping[str, Sequence[str]]
    as_of: Mapping[str, int]
    types: Mapping[str, type]
    kept: KeptRows

    def row(self, lane: Lane, touched: Touched | None = None) -> StateRow:
        """A lane's row, as it is looked at; ``touched`` where the command changed it."""
        stream_id = lane.identity.stream_id
        paths = self.histories.get(stream_id, ())
        if stream_id not in self.as_of and not paths:
            return self._present(lane, touched, self.unfold.get(stream_id, ()), {})
        revisions = Revisions(self.trace, lane, self.types)
        histories = {path: field_history(revisions, path, self.cursor) for path in paths}
        if stream_id in self.as_of:
            return self._as_of(lane, revisions, histories)
        return self._present(lane, touched, self.unfold.get(stream_id, ()), histories)

    def pinned(self, stream_id: str, touched: Mapping[int, Touched]) -> StateRow:
        """A pinned lane's row, also where it is not there."""
        index = self.trace.index
        place = index.places.get(stream_id)
        if place is None:
            identity = Identity.parse(stream_id)
            lane = Lane(identity, hasattr(self.types.get(identity.category), "interested"), 0)
            return _dressed(lane, 0, (), note="not on this branch")
        lane = index.lanes[place]
        if stream_id in self.as_of or place in touched or _is_there(self.trace, lane, self.cursor):
            return self.row(lane, touched.get(place))
        note = "not there yet" if lane.since > self.cursor else "no longer there"
        return _dressed(lane, _version(self.trace[self.cursor].stack, lane), (), note=note)

    def mentions(self, lane: Lane, touched: Touched | None, wanted: str) -> bool:
        """Whether a text stands in the row of a lane, whatever of it is unfolded."""
        return _row_matches(self._present(lane, touched, (), {}), wanted)

    def _present(
        self,
        lane: Lane,
        touched: Touched | None,
        unfold: Sequence[str],
        histories: Mapping[str, FieldHistory],
    ) -> StateRow:
        stack = self.trace[self.cursor].stack
        if touched is None:
            now, version = stored(stack, lane), _version(stack, lane)
            if now is None or not histories:
                return self.kept.of(lane, now, version, unfold)
            return _dressed(lane, version, unfolded(now, now, unfold, histories))
        _, before, after, last = touched
        gone = after is None
        now, before = (last, last) if gone else (after, before)
        fields = unfolded(now, before, unfold, histories)
        return _dressed(
            lane, _version(stack, lane), fields, changed=True, is_new=touched.before is None, gone=gone
        )

    def _as_of(self, lane: Lane, revisions: Revisions, histories: Mapping[str, FieldHistory]) -> StateRow:
        stream_id = lane.identity.stream_id
        first, last = revisions.first, revisions.last
        version = max(first, min(self.as_of[stream_id], last))
        revision = revisions.at(version)
        earlier = revisions.at(version - 1) if version > first else revision
        # Compared with itself, where the one before cannot be known, it has no changes.
        before = revision.state if earlier.why else earlier.state
        now = revisions.upto(self.cursor)
        told = AsOf(version, first, last, revision.event, revision.moment, version > now, revision.why)
        fields = unfolded(revision.state, before, self.unfold.get(stream_id, ()), histories)
        return replace(_dressed(lane, now, fields, note=revision.why), as_of=told)


def _is_there(trace: Trace, lane: Lane, cursor: int) -> bool:
    place = trace.index.places[lane.identity.stream_id]
    return bool(tally(trace, cursor).living >> place & 1)


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
    kind: Kind = "process manager" if lane.is_manager else "aggregate"
    stream_id, category = format_value(identity.stream_id), identity.category
    return StateRow(stream_id, category, kind, version, changed, is_new, gone, fields, note=note)


def _row_matches(row: StateRow, wanted: str) -> bool:
    if wanted in row.stream_id.casefold():
        return True
    return any(wanted in field.name.casefold() or wanted in field.value.casefold() for field in row.fields)


def stored(stack: Stack, lane: Lane) -> Any:
    """The state of a lane in a stack; None where there is none, or it was not read yet."""
    store = stack.process_managers if lane.is_manager else stack.aggregates
    return store.get(lane.identity.stream_id)


def _version(stack: Stack, lane: Lane) -> int:
    versions = stack.process_manager_versions if lane.is_manager else stack.aggregate_versions
    return int(versions.get(lane.identity.stream_id, 0))
