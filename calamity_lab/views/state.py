"""The state at the cursor: every aggregate and process manager instance, what just changed first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calamity_lab.kernel.steps import AtProcessManager, Executed, Ignored, Stopped
from calamity_lab.trace.trace import Trace
from calamity_lab.views.matching import matching, members
from calamity_lab.views.state_rows import AsOf, Drawing, KeptRows, StateRow, Touched, stored
from calamity_lab.views.tally import tally
from calamity_lab.views.unfolded import FieldRow, differ

__all__ = ["AsOf", "FieldRow", "StateRow", "StateView", "state"]

_NO_TYPES: Mapping[str, type] = {}

Look = tuple[str, str]
"""A stream id and the path of one of its fields."""


@dataclass(frozen=True, slots=True)
class StateView:
    """The pinned rows, and a window on all others that match: changed first, then in order of appearance.

    ``total`` and ``matching`` do not count the pinned ones. ``unfolded``, ``histories`` and ``as_of`` are
    what was asked for, in sight or not.
    """

    query: str
    total: int
    matching: int
    first: int
    rows: tuple[StateRow, ...]
    pinned: tuple[StateRow, ...] = ()
    unfolded: tuple[Look, ...] = ()
    histories: tuple[Look, ...] = ()
    as_of: tuple[tuple[str, int], ...] = ()


def state(
    trace: Trace,
    cursor: int,
    *,
    query: str = "",
    first: int = 0,
    limit: int = 40,
    pinned: Sequence[str] = (),
    unfolded: Sequence[Look] = (),
    histories: Sequence[Look] = (),
    as_of: Sequence[tuple[str, int]] = (),
    types: Mapping[str, type] = _NO_TYPES,
    kept: KeptRows | None = None,
) -> StateView:
    """The state at the cursor: ``limit`` rows from the ``first`` on, of those in which the query stands.

    The query is looked for in what the rows show: stream id, fields' names and values, whatever the case.
    The ``pinned`` streams come apart from them, in that order, whatever the query. The paths in ``unfolded``
    show what lies in them, those in ``histories`` their values over time. ``as_of`` shows streams as of a
    version; ``types`` are the classes by name with which a state older than the trace is made. ``kept``,
    given again at the next moment, spares drawing rows that stay as they are.
    """
    kept = KeptRows() if kept is None else kept
    drawn = Drawing(trace, cursor, _by_stream(unfolded), _by_stream(histories), dict(as_of), types, kept)
    wanted = query.strip().casefold()
    living, touched, places = tally(trace, cursor).living, _touched(trace, cursor), trace.index.places
    held = {places[each] for each in pinned if each in places}
    changed = [each for place, each in touched.items() if place not in held]
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
    looks = (tuple(unfolded), tuple(histories), tuple(as_of))
    return StateView(query, total, count, first, tuple(rows), pins, *looks)


def _by_stream(looks: Sequence[Look]) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {}
    for stream_id, path in looks:
        paths.setdefault(stream_id, []).append(path)
    return paths


def _touched(trace: Trace, cursor: int) -> dict[int, Touched]:
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
            old, new = stored(before, lane), stored(after, lane)
            old = met if old is None else old
            last = ended.get(stream_id) if new is None else None
            if last is not None or (new is not None and differ(old, new)):
                found[place] = Touched(lane, old, new, last)
    return dict(sorted(found.items()))
