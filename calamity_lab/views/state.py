"""The state at the cursor: every aggregate and process manager instance, what just changed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from calamity_lab.kernel.fields import fields_of, is_record
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import AtProcessManager, Executed, Ignored, Stopped
from calamity_lab.shown import shown
from calamity_lab.trace.differences import differences
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace
from calamity_lab.views.matching import matching, members
from calamity_lab.views.tally import tally

LENGTH = 200
"""A value's text is cut there."""


Kind = Literal["aggregate", "process manager"]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a state; ``before`` is what it was before the command, where the command changed it."""

    name: str
    value: str
    before: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class StateRow:
    """An aggregate or an instance: what the command of the cursor's moment made of it.

    ``is_new``: it was not there before that command; ``gone``: the command's event stopped it.
    """

    stream_id: str
    category: str
    kind: Kind
    version: int
    changed: bool
    is_new: bool
    gone: bool
    fields: tuple[FieldRow, ...]


@dataclass(frozen=True, slots=True)
class StateView:
    """A window on all rows that match: changed ones first, then in order of appearance."""

    query: str
    total: int
    matching: int
    first: int
    rows: tuple[StateRow, ...]


class _Touched(NamedTuple):
    """What the command did to one lane: the states before it and now, or the last one."""

    lane: Lane
    before: Any
    after: Any
    last: Any


def state(trace: Trace, cursor: int, *, query: str = "", first: int = 0, limit: int = 40) -> StateView:
    """The state at the cursor: ``limit`` rows from the ``first`` on, of those in which the query stands.

    The query is looked for in what the rows show: stream id, fields' names and values, whatever the case.
    """
    stack, wanted = trace[cursor].stack, query.strip().casefold()
    living = tally(trace, cursor).living
    touched = _touched(trace, cursor)
    changed = [_changed_row(stack, each) for each in touched.values()]
    rest = living
    for lane in touched:
        rest &= ~(1 << lane)
    total = len(changed) + rest.bit_count()
    if wanted:
        changed = [row for row in changed if _row_matches(row, wanted)]
        lanes = trace.index.lanes
        rest &= matching(trace, cursor, wanted, living, lambda n: _row_matches(_row(stack, lanes[n]), wanted))
    found = len(changed) + rest.bit_count()
    first = max(min(first, found - 1), 0)
    rows = changed[first : first + limit]
    unchanged = members(rest, max(first - len(changed), 0), max(limit - len(rows), 0))
    rows += [_row(stack, trace.index.lanes[lane]) for lane in unchanged]
    return StateView(query, total, found, first, tuple(rows))


def _touched(trace: Trace, cursor: int) -> dict[int, _Touched]:
    """The lanes that differ from what they were before the command of that moment, by their number."""
    index = trace.index
    start = index.command_start(cursor)
    if not start:
        return {}
    before, after = trace[start - 1].stack, trace[cursor].stack
    first: dict[str, Any] = {}
    ended: dict[str, Any] = {}
    for moment in trace.branch.moments.iterate(start, cursor + 1):
        step = moment.step
        if isinstance(step, (Executed, AtProcessManager)) and not isinstance(step, Ignored):
            first.setdefault(step.identity.stream_id, step.before)
        if isinstance(step, Stopped):
            ended[step.identity.stream_id] = step.before
    found = {}
    for stream_id, met in first.items():
        place = index.places.get(stream_id)
        if place is not None and index.lanes[place].since <= cursor:
            lane = index.lanes[place]
            # What was not in the store before may have been read from its stream, and then decided upon.
            old, new = _stored(before, lane), _stored(after, lane)
            old = met if old is None else old
            last = ended.get(stream_id) if new is None else None
            if last is not None or (new is not None and _differ(old, new)):
                found[place] = _Touched(lane, old, new, last)
    return dict(sorted(found.items()))


def _stored(stack: Stack, lane: Lane) -> Any:
    store = stack.process_managers if lane.is_manager else stack.aggregates
    return store.get(lane.identity.stream_id)


def _version(stack: Stack, lane: Lane) -> int:
    versions = stack.process_manager_versions if lane.is_manager else stack.aggregate_versions
    return int(versions.get(lane.identity.stream_id, 0))


def _changed_row(stack: Stack, touched: _Touched) -> StateRow:
    lane, before, after, last = touched
    is_new, gone = before is None, after is None
    values = _values(last if gone else after)
    old = {} if gone else _values(before)
    fields = tuple(
        FieldRow(
            name,
            shown(value, LENGTH),
            shown(old[name], LENGTH) if name in old and _differ(old[name], value) else None,
            not gone and (name not in old or _differ(old[name], value)),
        )
        for name, value in values.items()
    )
    return _dressed(lane, _version(stack, lane), fields, changed=True, is_new=is_new, gone=gone)


def _row(stack: Stack, lane: Lane) -> StateRow:
    state = _stored(stack, lane)
    values = {"not read yet": "when a command needs it"} if state is None else _values(state)
    fields = tuple(
        FieldRow(name, shown(value, LENGTH), None, changed=False) for name, value in values.items()
    )
    return _dressed(lane, _version(stack, lane), fields)


def _dressed(
    lane: Lane,
    version: int,
    fields: tuple[FieldRow, ...],
    *,
    changed: bool = False,
    is_new: bool = False,
    gone: bool = False,
) -> StateRow:
    identity: Identity = lane.identity
    kind: Kind = "process manager" if lane.is_manager else "aggregate"
    stream_id, category = shown(identity.stream_id), identity.category
    return StateRow(stream_id, category, kind, version, changed, is_new, gone, fields)


def _values(state: Any) -> dict[str, Any]:
    """The fields of a state; one that is no record is its own only field."""
    if state is None:
        return {}
    if isinstance(state, dict) or is_record(state):
        return fields_of(state)
    return {"value": state}


def _differ(before: Any, after: Any) -> bool:
    return next(differences(before, after), None) is not None


def _row_matches(row: StateRow, wanted: str) -> bool:
    if wanted in row.stream_id.casefold():
        return True
    return any(wanted in field.name.casefold() or wanted in field.value.casefold() for field in row.fields)
