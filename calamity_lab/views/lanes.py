"""The geometry of the lanes, for every painter: the lane of each mark, and its point along the run.

The browser draws a run of any length from the columns of the chart by the same rules, with the numbers of
this file (see decision 46).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Literal, NamedTuple

from calamity_lab.views.chart import (
    ChangeColumns,
    Chart,
    DeadlineSpan,
    EventColumns,
    LaneKind,
    LaneRow,
    Mark,
    StepColumns,
)
from calamity_lab.views.controls import bounded
from calamity_lab.views.looks import IN_LANES, KINDS_OF_LANES, below

MOST_LANES = 30
"""The most lanes that are all shown; of more lanes, only those in which something happens in the window."""

FOLDED = 8
"""The widest gap between two events, in usual gaps; a longer one is folded."""

LEAST_GAP = 0.4
"""The least distance of two events, in usual gaps, also if they were recorded at the same time."""

AHEAD = 0.25
"""How far before an event a window begins, so that the event's command is in the same unit."""

LABEL = {"size": 11, "mark": 9, "gap": 3, "apart": 8}
"""A label in pixels: its size, half the width of a mark, the gap between both, and that between labels."""

_MOST_SAMPLED = 2_000
_MOST_STEPS = 600

Axis = Literal["position", "time"]
"""Whether the events are at even distances, in their order, or at the times of their recording."""


@dataclass(frozen=True, slots=True)
class DrawnMark:
    """A mark in the lanes: its kind, its point, and its label.

    ``x`` is along the run, where events take up about one unit each; ``lane`` is an index among the lanes of
    the chart. ``moment`` is when it happened, ``within`` how far down in its row it is (0 to 1). ``mark`` is
    how a view names it; it says nothing about how it is drawn.
    """

    x: float
    lane: int
    kind: str
    label: str
    moment: int
    within: float = 0.5
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DrawnDeadline:
    """A deadline in the lane of its instance, from the point where it was set to where it ended.

    ``end`` is what became of it: "came due", "taken off", or "set" if kept; then ``until`` is the cursor.
    """

    x: float
    until: float
    lane: int
    end: str
    number: int
    since: int
    until_moment: int
    within: float = 0.5

    @property
    def down(self) -> int:
        """The pixels from the middle of its row down to it: those of an instance are apart."""
        return below(self.number)


Side = Literal["left", "right"]
"""The side of its mark on which a label is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the lanes: a stream, an instance, a projection, or all ``count`` of a category together."""

    name: str
    category: str
    kind: LaneKind
    count: int = 1


class Lanes:
    """The points of all marks of a chart, along its events, along their times, or along given points."""

    def __init__(self, chart: Chart, axis: Axis | Along = "position") -> None:
        columns, sizes = chart.columns, chart.sizes
        self._given = axis if isinstance(axis, Along) else None
        self.chart, self.axis = chart, "time" if isinstance(axis, Along) else axis
        self.events = EventColumns(*(column[: sizes.events] for column in columns.events))
        self.steps = StepColumns(*(column[: sizes.steps] for column in columns.steps))
        self.changes = ChangeColumns(*(column[: sizes.changes] for column in columns.changes))
        self._deadlines = columns.deadlines_by_lane(sizes.deadlines)
        self.lanes: Sequence[LaneRow] = columns.lanes[: sizes.lanes]
        self._names = columns.names
        self._gaps: dict[int, tuple[int, int]] = {}

    @property
    def total(self) -> int:
        """How many events there are."""
        return len(self.events.moments)

    @property
    def length(self) -> float:
        """The length of the whole run: the point of its last event."""
        return self.at(self.total)

    def now(self, cursor: int) -> int:
        """How many events are past at a moment."""
        return bisect_right(self.events.moments, cursor)

    def marks(self, first: int = 0, last: int | None = None) -> Iterator[DrawnMark]:
        """The marks of the events from one index to another, of the steps and then the changes at them."""
        last = self.total if last is None else min(last, self.total)
        for index in range(first, last):
            yield self._event(index)
        for index in self._steps(first, last):
            yield self._step(index)
        made_by = self.changes.events
        for index in range(bisect_right(made_by, first), bisect_right(made_by, last)):
            yield self._change(index)

    def drawn_deadlines(self, cursor: int) -> Iterator[DrawnDeadline]:
        """All deadlines in the order in which they were set; those that are kept end at the cursor."""
        spans = (span for deadlines in self._deadlines.values() for span in deadlines.spans)
        return self._drawn(sorted(spans, key=lambda span: span.number), cursor)

    def deadlines_in_sight(
        self, cursor: int, rows: Iterable[int], first: int, last: int
    ) -> Iterator[DrawnDeadline]:
        """The deadlines of lanes at the events from one index to another; it looks at no others."""
        moments = self.events.moments
        since = moments[first - 1] if first else 0
        after = bisect_right(moments, moments[last - 1]) if last else 0
        until = moments[after] if after < self.total else inf
        for lane in rows:
            deadlines = self._deadlines.get(lane)
            if deadlines is not None:
                yield from self._drawn(deadlines.in_sight(since, until, cursor), cursor)

    def _drawn(self, spans: Iterable[DeadlineSpan], cursor: int) -> Iterator[DrawnDeadline]:
        now = self.cursor(cursor)
        for each in spans:
            start = self._at_step(each.since)
            if each.until is not None:
                end, until = self._at_step(each.until), each.until
            elif each.since <= cursor:
                end, until = now, cursor
            else:
                continue
            yield DrawnDeadline(start, end, each.lane, each.end, each.number, each.since, until)

    def _at_step(self, moment: int) -> float:
        """The point of the mark of a step; without a mark, where the past ends at that moment."""
        index = bisect_left(self.steps.moments, moment)
        is_marked = index < len(self.steps.moments) and self.steps.moments[index] == moment
        return self.at(self._among(index)) if is_marked else self.cursor(moment)

    def at(self, among: float) -> float:
        """The point of a number of an event (from 1, or between two) along the run."""
        if self.axis == "position" or not self.total:
            return float(among)
        index = min(max(int(among) - 1, 0), self.total - 1)
        along, beyond = self._along.points, among - 1 - index
        following = along[index + 1] if index + 1 < self.total else along[index] + 1
        return 1 + along[index] + beyond * (1 if beyond < 0 else following - along[index])

    @property
    def folds(self) -> Sequence[int]:
        """The events, from 1, behind which a long gap is folded."""
        return self._along.folds if self.axis == "time" else ()

    def cursor(self, moment: int) -> float:
        """Where the past ends: between its last mark in order and the first one to come."""
        now, halves = self.now(moment), self.steps.halves
        step = bisect_right(self.steps.moments, moment) - 1
        between = 2 * now + 1
        past = self._among(step) if step >= 0 and halves[step] == between else float(now)
        # Between an event and what comes next in order, process managers may still react to it.
        following = bisect_left(halves, between, step + 1)
        is_next = following < len(halves) and halves[following] == between
        return self.at((past + (self._among(following) if is_next else now + 1)) / 2)

    def _event(self, index: int) -> DrawnMark:
        moments, lanes, names, *_ = self.events
        point, name = self.at(index + 1), self._names[names[index]]
        return DrawnMark(point, lanes[index], "event", name, moments[index], mark=Mark("event", index + 1))

    def _step(self, index: int) -> DrawnMark:
        moments, _, lanes, kinds, _, labels = self.steps
        kind, label = IN_LANES[1 + kinds[index]], self._names[labels[index]]
        point, mark = self.at(self._among(index)), Mark("step", moments[index])
        return DrawnMark(point, lanes[index], kind, label, moments[index], mark=mark)

    def _change(self, index: int) -> DrawnMark:
        number, lane, kind = (column[index] for column in self.changes)
        mark = Mark("change", index + 1)
        return replace(self._event(number - 1), lane=lane, kind=IN_LANES[1 + kind], mark=mark)

    def _steps(self, first: int, last: int) -> Iterator[int]:
        """The steps at those events and in the gaps beside them."""
        moments, steps = self.events.moments, self.steps.moments
        since = bisect_left(steps, moments[first - 1] if first else 0)
        after = bisect_right(moments, moments[last - 1]) if last else 0
        until = bisect_left(steps, moments[after]) if after < self.total else len(steps)
        for index in range(since, until):
            if 2 * first < self.steps.halves[index] <= 2 * last + 1:
                yield index

    def _among(self, index: int) -> float:
        """The point of a step among the events; steps between two events share the room, in order."""
        half = self.steps.halves[index]
        if half % 2 == 0:
            return half / 2
        first, last = self._gap(half, index)
        return half // 2 + (index - first + 1) / (last - first + 2)

    def _gap(self, half: int, index: int) -> tuple[int, int]:
        """The first and the last step of those between two events: they follow each other."""
        if half not in self._gaps:
            halves, first, last = self.steps.halves, index, index
            while first > 0 and halves[first - 1] == half:
                first -= 1
            while last < len(halves) - 1 and halves[last + 1] == half:
                last += 1
            self._gaps[half] = first, last
        return self._gaps[half]

    @cached_property
    def _along(self) -> Along:
        return along(self.events.times) if self._given is None else self._given


@dataclass(frozen=True, slots=True)
class Along:
    """The points of events in time, the first at 0; behind which of them, from 1, a gap is folded."""

    points: Sequence[float]
    folds: Sequence[int]


def along(times: Sequence[int]) -> Along:
    """Lay events along their times (milliseconds, never falling): a gap much longer than most is folded."""
    stride = max(1, len(times) // _MOST_SAMPLED)
    sampled = (times[index] - times[index - 1] for index in range(1, len(times), stride))
    gaps = sorted(gap for gap in sampled if gap > 0)
    usual = gaps[len(gaps) // 2] if gaps else 1
    points, folds = [0.0] * min(len(times), 1), list[int]()
    for number, (before, after) in enumerate(pairwise(times), 1):
        gap = (after - before) / usual
        if gap > FOLDED:
            folds.append(number)
        points.append(points[-1] + min(max(gap, LEAST_GAP), FOLDED))
    return Along(points, folds)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the lanes: the events ``first + 1`` to ``first + width``.

    Of the ``total`` events ``now`` are past at the ``moment``; ``cursor`` is where the past ends. A mark's
    ``lane`` is an index among these ``rows``; ``positions`` are those of the events.
    """

    moment: int
    total: int
    now: int
    first: int
    width: int
    cursor: float
    rows: tuple[Row, ...]
    marks: tuple[DrawnMark, ...]
    positions: tuple[int, ...]
    deadlines: tuple[DrawnDeadline, ...] = ()


def window(chart: Chart, cursor: int, *, first: int | None = None, width: int = 80) -> Window:
    """The lanes with the cursor in the window, or from ``first`` on.

    Of more than `MOST_LANES` those are shown in which something happens there; of very many commands,
    rejections and reactions the nearest to the cursor.
    """
    lanes, width = Lanes(chart), max(1, width)
    total, now = lanes.total, lanes.now(cursor)
    first = bounded(first, now, total, width)
    # Behind the last event of the run commands may have been rejected.
    until = first + AHEAD + width if first + width < total else total + 1
    inside = (each for each in lanes.marks(first, first + width) if first + AHEAD <= each.x <= until)
    marks = sorted(inside, key=lambda mark: (mark.x, mark.moment))
    if len(marks) > width + _MOST_STEPS:
        near = sorted(marks, key=lambda mark: (mark.kind != "event", abs(mark.moment - cursor)))
        marks = sorted(near[: width + _MOST_STEPS], key=lambda mark: (mark.x, mark.moment))
    there = range(len(lanes.lanes)) if len(lanes.lanes) <= MOST_LANES else {mark.lane for mark in marks}
    order = in_order(lanes.lanes, there)
    rows = {lane: row for row, lane in enumerate(order)}
    shown = tuple(_row(lanes.lanes[lane]) for lane in order)
    placed = tuple(replace(mark, lane=rows[mark.lane]) for mark in marks)
    positions = tuple(lanes.events.positions[first : first + width])
    drawn = lanes.deadlines_in_sight(cursor, order, first, min(first + width, total))
    lines = tuple(
        replace(each, lane=rows[each.lane])
        for each in sorted(drawn, key=lambda line: line.number)
        if each.until >= first + AHEAD and each.x <= until
    )
    return Window(cursor, total, now, first, width, lanes.cursor(cursor), shown, placed, positions, lines)


def beside(marks: Sequence[tuple[int, float, str, float]], wide: float) -> list[Side | None]:
    """The side of each mark on which its label has room; None without room, so that no label hides anything.

    A mark is its row, its point from 0 to ``wide``, its kind and the width of its label; they are in order of
    the points. The first to choose are rejections, then events, reactions and commands.
    """
    rooms = _rooms(marks, wide)
    sides: list[Side | None] = [None] * len(marks)
    for index in sorted(range(len(marks)), key=lambda index: _RANK.get(marks[index][2], _USUAL_RANK)):
        *_, kind, needed = marks[index]
        before, behind = rooms[index]
        preferred: tuple[Side, Side] = ("left", "right") if kind == "command" else ("right", "left")
        for side in preferred:
            room = before if side == "left" else behind
            if room[0] >= needed:
                sides[index] = side
                room[0] -= needed + LABEL["apart"]
                break
    return sides


_RANK = {"rejected": 0, "event": 1, "command": 3}
_USUAL_RANK = 2


def _rooms(
    marks: Sequence[tuple[int, float, str, float]], wide: float
) -> list[tuple[list[float], list[float]]]:
    """The room for labels before and behind each mark; two marks that are neighbours in a row share one."""
    taken = LABEL["mark"] + LABEL["gap"]
    last: dict[int, tuple[float, list[float]]] = {}
    rooms = []
    for row, x, *_ in marks:
        point, room = last.get(row, (0.0, [0.0]))
        room[0] = x - taken - (point + taken if row in last else 0)
        last[row] = x, [wide - x - taken]
        rooms.append((room, last[row][1]))
    return rooms


def in_order(lanes: Sequence[LaneRow], chosen: Iterable[int]) -> list[int]:
    """Lanes from the top down: aggregates, process managers, projections, each by type as these appeared."""
    types: dict[tuple[str, str], int] = {}
    places = [types.setdefault((lane.kind, lane.category), len(types)) for lane in lanes]
    return sorted(chosen, key=lambda lane: (KINDS_OF_LANES.index(lanes[lane].kind), places[lane], lane))


class Whole(NamedTuple):
    """All rows of a run and all marks in them, in order of the moments; a ``lane`` is an index among rows."""

    rows: tuple[Row, ...]
    marks: tuple[DrawnMark, ...]
    deadlines: tuple[DrawnDeadline, ...]


def whole(lanes: Lanes, most: int = MOST_LANES, cursor: int = 0) -> Whole:
    """Everything that there is; where there are more than ``most`` lanes, the largest types share a row each.

    In a row of many each instance has a line of its own.
    """
    counts = Counter(lane.category for lane in lanes.lanes)
    together = _largest(counts, len(lanes.lanes), most)
    rows: dict[str | int, Row] = {}
    homes: dict[int, tuple[int, float]] = {}
    seen: Counter[str] = Counter()
    for lane in in_order(lanes.lanes, range(len(lanes.lanes))):
        row, category = _row(lanes.lanes[lane]), lanes.lanes[lane].category
        seen[category] += 1
        if category in together:
            shared = rows.setdefault(category, replace(row, name=category, count=counts[category]))
            homes[lane] = list(rows).index(category), seen[category] / (shared.count + 1)
        else:
            homes[lane] = len(rows), 0.5
            rows[lane] = row
    marks = sorted(lanes.marks(), key=lambda mark: (mark.moment, mark.x))
    placed = (
        DrawnMark(each.x, homes[each.lane][0], each.kind, each.label, each.moment, homes[each.lane][1])
        for each in marks
    )
    lines = (
        replace(each, lane=homes[each.lane][0], within=homes[each.lane][1])
        for each in lanes.drawn_deadlines(cursor)
    )
    return Whole(tuple(rows.values()), tuple(placed), tuple(lines))


def _row(lane: LaneRow) -> Row:
    return Row(lane.stream_id, lane.category, lane.kind)


def _largest(counts: Counter[str], lanes: int, most: int) -> set[str]:
    """The types that share a row each, so that there are no more than ``most`` rows."""
    together: set[str] = set()
    for category, count in counts.most_common():
        if lanes <= most:
            break
        together.add(category)
        lanes -= count - 1
    return together
