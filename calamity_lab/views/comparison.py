"""Two branches side by side: where they part, and the events, commands and fields that differ.

The lanes of both lie on one axis, on which events that are the same event are at the same point.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

from calamity_lab.kernel.memo import Slot
from calamity_lab.text import format_value, plural
from calamity_lab.trace.compare import Compared, ComparedEvent, ComparedRow, Part, Status, compare
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import Charts, LaneRow, Mark
from calamity_lab.views.lanes import AHEAD, Along, DrawnMark, Lanes, in_order

LENGTH = 160
"""The longest text of what a branch has."""

BEFORE = 2
"""So many events before the branches part are in the lanes."""
MOST_EVENTS = 40
"""The lanes go on for so many events."""
MOST_ROWS = 8
"""The lanes of so many streams are drawn."""
_ROOM = 0.4
"""A gap this near to a mark of its lane is not shown."""


@dataclass(frozen=True, slots=True)
class NamedBranch:
    """A branch that can be chosen: its name, and the name as it is shown."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A difference: what each branch has, as text ("" for nothing), and the moments at which it has it.

    ``subject`` names the event, the command or the field, and ``stream_id`` its stream.
    """

    key: str
    status: str
    stream_id: str
    subject: str
    a: str
    b: str
    moment_a: int | None
    moment_b: int | None


@dataclass(frozen=True, slots=True)
class ComparisonPart:
    """The differences of one kind: the first of ``total``."""

    part: Part
    title: str
    total: int
    rows: tuple[ComparisonRow, ...]


Of = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class LaneMark:
    """A mark of one branch in a lane, or the gap where only the other branch has one: then ``mark`` is None.

    ``row`` is an index among the streams, ``x`` is along the axis, and ``words`` say what it is and where.
    """

    mark: Mark | None
    side: Of
    row: int
    x: float
    kind: str
    label: str
    moment: int
    status: Literal["same", "changed", "only here", "not here"]
    words: str


@dataclass(frozen=True, slots=True)
class ComparedLanes:
    """The lanes in which the branches differ: events, rejections and reactions, also some that are the same.

    The axis goes from ``first`` to ``last``, and the branches part at ``parted``. ``folded`` events before it
    are on both branches. ``more_events`` and ``more_streams`` differ and are not drawn, ``same_streams``
    are the same.
    """

    streams: tuple[LaneRow, ...]
    marks: tuple[LaneMark, ...]
    first: float
    last: float
    parted: float
    folded: int
    more_events: int
    more_streams: int
    same_streams: int


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """The branches, which two of them are compared, and what differs.

    ``parts`` has no part without a difference.
    ``parted`` is the last moment up to which the same happened on both; None if they never part.
    ``lanes`` are None where nothing happened after that.
    """

    branches: tuple[NamedBranch, ...]
    a: str
    b: str
    current: str
    parted: int | None
    sentence: str
    parts: tuple[ComparisonPart, ...]
    lanes: ComparedLanes | None


def comparison(
    trace: Trace, _cursor: int, *, a: str | None = None, b: str | None = None, limit: int = 6
) -> ComparisonView:
    """The comparison of two branches, by default of the current one and the one that it left.

    ``a`` alone is compared with the current branch. A branch that does not exist any more is replaced by one
    that does.
    """
    a, b = _chosen(trace, a, b)
    first, second = trace.branches[a], trace.branches[b]
    compared = trace.memo.once(_COMPARED, lambda: compare(trace, first, second), first, second)
    return ComparisonView(
        branches=tuple([NamedBranch(name, format_value(name)) for name in trace.branches]),
        a=a,
        b=b,
        current=trace.branch.name,
        parted=compared.diverged_at,
        sentence=format_value(compared.sentence()),
        parts=tuple(_parts(compared, limit)),
        lanes=trace.memo.once(_LANES, lambda: (_lanes(trace, compared),), first, second)[0],
    )


_COMPARED = Slot[Compared](most=2)
_LANES = Slot[tuple["ComparedLanes | None"]](most=2)


def _chosen(trace: Trace, a: str | None, b: str | None) -> tuple[str, str]:
    """The names of two branches; of two that nobody chose, the older one comes first."""
    names, current = list(trace.branches), trace.branch
    if a in names and (b in names or (b is None and a != current.name)):
        return str(a), current.name if b is None else b
    others = [current.parent, *reversed(names)]
    other = next((name for name in others if name is not None and name != current.name), current.name)
    one, two = sorted((current.name, other), key=names.index)
    return one, two


def _parts(compared: Compared, limit: int) -> Iterable[ComparisonPart]:
    found: dict[Part, list[ComparedRow]] = {}
    for row in compared.rows():
        found.setdefault(row.part, []).append(row)
    for part, rows in found.items():
        shown = tuple([_row(number, row) for number, row in enumerate(islice(rows, limit))])
        yield ComparisonPart(part, _title(part, rows, compared), len(rows), shown)


_NOUNS: Mapping[Part, str] = {
    "event": "event",
    "command": "command",
    "state": "field",
    "pending": "pending command",
}


def _title(part: Part, rows: list[ComparedRow], compared: Compared) -> str:
    """How much differs, and what is the same, as in "8 events differ, 7 are the same"."""
    differ = f"{plural(len(rows), _NOUNS[part])} {'differs' if len(rows) == 1 else 'differ'}"
    if part == "state":
        return f"{differ} at the end"
    all_rows = {"event": compared.events, "command": compared.commands}.get(part, ())
    same = len(all_rows) - len(rows)
    return f"{differ}, {same:,} are the same" if same > 0 else differ


def _row(number: int, row: ComparedRow) -> ComparisonRow:
    a, b = row.texts(LENGTH)
    return ComparisonRow(
        key=f"{row.part} {number}",
        status=row.status,
        stream_id=format_value(row.stream_id),
        subject=format_value(row.name),
        a=a,
        b=b,
        moment_a=row.moment_a,
        moment_b=row.moment_b,
    )


# The lanes of both branches, on one axis.


class _Side:
    """A branch on the axis of both: its lanes, and how its events and commands compare.

    ``at`` are the points of its events by their index among the compared ones.
    """

    def __init__(self, trace: Trace, compared: Compared, side: Of, charts: Charts) -> None:
        is_a = side == "a"
        branch = compared.a if is_a else compared.b
        self.side: Of = side
        self.label = format_value(branch.name)
        self._index, known = branch.index, compared.shared_events
        points = [float(number) for number in range(known)]
        self._events: dict[int, tuple[int, ComparedEvent]] = {}
        self.at: dict[int, float] = {}
        there = [
            (event.position, column, row)
            for column, row in enumerate(compared.events, known)
            if (event := row.a if is_a else row.b) is not None
        ]
        # Where the branches have two events in another order, one of them leaves its column.
        for _, column, row in sorted(there, key=itemgetter(0)):
            before = points[-1] if points else -1.0
            points.append(column if column > before else before + 0.5)
            self._events[len(points)] = column, row
            self.at[column] = points[-1]
        self.lanes = Lanes(charts.of(trace.on(branch)), Along(points, ()))
        self._points = points
        self._commands = {
            self._index.command_start(moment): row
            for row in compared.commands
            if (moment := row.moment_a if is_a else row.moment_b) is not None
        }

    def marks(self, first: float, last: float) -> list[tuple[LaneRow, DrawnMark]]:
        """The marks between two points of the axis, with their lanes. What a command led to stands for it."""
        since, until = (bisect_left(self._points, each - 1) for each in (first, last))
        return [
            (self.lanes.lanes[each.lane], each)
            for each in self.lanes.marks(since, until)
            if first + AHEAD <= each.x <= last and each.kind != "command"
        ]

    def compared(self, mark: DrawnMark, other: _Side) -> tuple[Status, str] | None:
        """How an event or a rejected command compares, and what differs in words; None for any other mark."""
        row: Any = None
        if mark.mark is not None and mark.mark.kind == "event":
            column, row = self._events.get(mark.mark.number, (-1, None))
            if row is not None and row.status == "same" and self.at[column] != other.at[column]:
                return "changed", "in another order"
        elif mark.kind == "rejected" and mark.mark is not None and mark.mark.kind == "step":
            row = self._commands.get(self._index.command_start(mark.moment))
        else:
            return None
        return ("same", "") if row is None else (row.status, row.differs)


def _lanes(trace: Trace, compared: Compared) -> ComparedLanes | None:
    if compared.diverged_at is None:
        return None
    charts = Charts()
    one, other = _Side(trace, compared, "a", charts), _Side(trace, compared, "b", charts)
    first = float(max(0, compared.a.index.events_at(compared.diverged_at) - BEFORE))
    end = max(one.lanes.length, other.lanes.length) + 0.75
    last = min(end, first + MOST_EVENTS)
    found = [*_placed(one, other, first, last), *_placed(other, one, first, last)]
    lanes = {lane.stream_id: lane for side in (one, other) for lane in side.lanes.lanes}
    differ = {lane.stream_id for lane, mark in found if mark.status != "same"}
    ordered = list(lanes.values())
    order = [ordered[n] for n in in_order(ordered, range(len(ordered))) if ordered[n].stream_id in differ]
    rows = {lane.stream_id: number for number, lane in enumerate(order[:MOST_ROWS])}
    if not rows:
        return None
    inside = (replace(mark, row=rows[lane.stream_id]) for lane, mark in found if lane.stream_id in rows)
    beyond = compared.events[max(0, int(last) - compared.shared_events) :]
    return ComparedLanes(
        streams=tuple(order[:MOST_ROWS]),
        marks=tuple(sorted(inside, key=lambda mark: (mark.x, mark.row, mark.side))),
        first=first,
        last=last,
        parted=min(each.lanes.cursor(compared.diverged_at) for each in (one, other)),
        folded=int(first),
        more_events=sum(row.status != "same" for row in beyond),
        more_streams=len(order) - len(rows),
        same_streams=len(lanes) - len(order),
    )


def _placed(side: _Side, other: _Side, first: float, last: float) -> Iterator[tuple[LaneRow, LaneMark]]:
    """The marks of one branch, and the gaps of the other where it has no such mark."""
    there: dict[str, list[DrawnMark]] = {}
    for lane, mark in other.marks(first, last):
        there.setdefault(lane.stream_id, []).append(mark)
    for lane, mark in side.marks(first, last):
        status, differs = side.compared(mark, other) or (_beside(mark, there.get(lane.stream_id, ())), "")
        is_alone = status in ("only in a", "only in b")
        words = f"{mark.label} in {lane.stream_id}"
        changed = f"changed: {differs}" if differs else "changed"
        how = f"only on {side.label}" if is_alone else changed if status == "changed" else "the same on both"
        yield (
            lane,
            LaneMark(
                mark.mark, side.side, 0, mark.x, mark.kind, mark.label, mark.moment,
                "only here" if is_alone else "changed" if status == "changed" else "same",
                f"{side.label}: {words}, step {mark.moment:,}, {how}",
            ),
        )  # fmt: skip
        near = [abs(each.x - mark.x) for each in there.get(lane.stream_id, ())]
        if is_alone and min(near, default=1) >= _ROOM:
            yield (
                lane,
                LaneMark(
                    None, other.side, 0, mark.x, mark.kind, mark.label, mark.moment, "not here",
                    f"{other.label}: no {words} here",
                ),
            )  # fmt: skip


def _beside(mark: DrawnMark, others: Sequence[DrawnMark]) -> Status:
    """How a reaction or a change compares with those of the other branch in its lane."""
    near = [each for each in others if abs(each.x - mark.x) < 1]
    if any((each.kind, each.label) == (mark.kind, mark.label) for each in near):
        return "same"
    return "changed" if any(each.x == mark.x for each in near) else "only in a"
