"""The timeline as matplotlib axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, MaxNLocator

from calamity_lab.figures.style import (
    AS_TEXT,
    Theme,
    axes_for,
    backing,
    filling,
    fitted,
    hue,
    legend_of,
    legible,
    marker,
    plots,
    room_across,
    room_for,
    size_in_points,
    soft,
    strong,
    width,
)
from calamity_lab.kernel.arguments import one_of
from calamity_lab.text import plural
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import Charts
from calamity_lab.views.lanes import Axis, DrawnMark, Lanes, Row, Whole, whole
from calamity_lab.views.looks import IN_LANES
from calamity_lab.views.scenes import cut_name
from calamity_lab.views.tables import moment_of

_LETTERS, _SMALLEST = 6.5, 5.0
_LEAST = 2.2
_MOST_LABELLED, _MOST_DRAWN = 400, 5_000
_LANE_LETTERS = 32
_TIME_WIDE = 70
"""The room for a time below the lanes, in points."""
_PRIORITY = {"rejected": 0, "event": 1, "command": 3}
_USUAL_PRIORITY = 2


class _Placed(NamedTuple):
    """A mark, its height from the top, and its size in points."""

    mark: DrawnMark
    y: float
    size: float


def _placed(mark: DrawnMark, row: Row, top: float, across: float, size: float) -> _Placed:
    room = _height(row) / row.count * across
    return _Placed(mark, top + mark.within * _height(row), max(_LEAST, min(size, room)))


def _height(row: Row) -> float:
    """How high a row is drawn, where that of one lane is 1; the lanes of many are lower than that."""
    return 1.0 if row.count == 1 else min(8.0, 2 + row.count / 8)


@plots(Trace, "a trace and a cursor, as in lab.trace, lab.cursor")
def plot_timeline(
    trace: Trace,
    cursor: int | None = None,
    ax: Axes | None = None,
    *,
    by: Axis = "position",
    theme: Theme | None = None,
) -> Axes:
    """Draw what happened: a lane for each stream and process manager, the events side by side in their order.

    The events are at even distances, or ``by="time"`` where they were recorded, with long gaps folded. What
    is past at the cursor (None: the last moment) is in colour, the rest is grey. A mark is named where there
    is room for its name; the accepted commands only where there is room for all of their names. With more
    than thirty lanes the largest types share a row each; of more than 5,000 marks those that lie under others
    of their kind are left out, and counted.
    """
    one_of("plot_timeline(by)", by, ("position", "time"))
    at = moment_of(trace, cursor)
    lanes = Lanes(Charts().of(trace), by)
    found = whole(lanes, cursor=at)
    tops = [0.0, *accumulate(map(_height, found.rows))]
    ax = axes_for("plot_timeline", ax, (10.0, min(max(2.6, 1.5 + 0.34 * tops[-1]), 13.0)))
    room = 0.4 * room_across(ax)
    _lay_out(ax, found, tops)
    _lay_along(ax, trace, lanes)
    _name_lanes(ax, found, tops, 8.0, room)
    _draw_cursor(ax, lanes.cursor(at), at)
    size_in_points(ax)  # the names take some room from what is below
    kinds = {mark.kind for mark in found.marks} | ({"deadline"} if found.deadlines else set())
    legend_of(ax, kinds, gap=36 if by == "position" else 46)
    wide, high = size_in_points(ax)
    along, across = wide / (lanes.length + 1), high / max(tops[-1], 1)
    if across < 9:
        _name_lanes(ax, found, tops, across, room)
    size = max(_LEAST, min(8.0, 0.42 * across, 2 * along))
    seen = without_covered(found, at, size / along, size / across)
    placed = [_placed(mark, found.rows[mark.lane], tops[mark.lane], across, size) for mark in seen]
    _draw_deadlines(ax, found, tops, (at, lanes.cursor(at)), across, size)
    _draw_marks(ax, placed, at)
    left = len(found.marks) - len(seen)
    if left:
        marks = plural(len(found.marks), "mark")
        label = f"{by} (left out: {left:,} of {marks} that lie under others of their kind)"
        ax.set_xlabel(fitted(label, 8, wide), fontsize=8)
    if len(placed) <= _MOST_LABELLED and across >= size + 1.5 * _LETTERS:
        names = {each.mark: legible(each.mark.label, 40) for each in placed}
        _draw_labels(ax, _named(placed, found, along, names), found, at, size, names)
    return ax


def without_covered(found: Whole, cursor: int, wide: float, high: float) -> Sequence[DrawnMark]:
    """The marks; of very many of them only one at each point, since a picture has no room for more."""
    if len(found.marks) <= _MOST_DRAWN:
        return found.marks
    points: dict[tuple[str, bool, int, int, int], DrawnMark] = {}
    for mark in found.marks:
        down = mark.within * _height(found.rows[mark.lane])
        key = (mark.kind, mark.moment <= cursor, mark.lane, int(mark.x / wide), int(down / high))
        points.setdefault(key, mark)
    return tuple(points.values())


def _lay_out(ax: Axes, found: Whole, tops: Sequence[float]) -> None:
    count = len(found.rows)
    ax.set_ylim(max(tops[-1], 1), 0)
    ax.set_yticks([])
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    for number, lane in enumerate(found.rows):
        tint = soft(lane.kind)
        ax.axhspan(tops[number] + 0.04, tops[number + 1] - 0.04, color=tint, alpha=0.6, linewidth=0, zorder=0)
    if not count:
        ax.text(0.5, 0.5, "nothing has happened yet", transform=ax.transAxes, ha="center", va="center")


def _lay_along(ax: Axes, trace: Trace, lanes: Lanes) -> None:
    """The axis below: the positions of the events, or their times with a caret where a gap is folded."""
    ax.set_xlim(0, lanes.length + 1)
    ax.set_xlabel(lanes.axis, fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    events = trace.index.events
    if lanes.axis == "position":

        def position(x: float, _: object) -> str:
            return f"{events[int(x) - 1].position}" if x in range(1, len(events) + 1) else ""

        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.xaxis.set_major_formatter(FuncFormatter(position))
        return
    every = max(1, round(len(events) * _TIME_WIDE / room_across(ax)))
    named = range(0, len(events), every)
    texts = [f"{events[index].recorded_at:%Y-%m-%d\n%H:%M:%S}" for index in named]
    ax.set_xticks([lanes.at(index + 1) for index in named], texts)
    folds = [lanes.at(event + 0.5) for event in lanes.folds]
    ax.plot(
        folds, [0] * len(folds), transform=ax.get_xaxis_transform(), linestyle="", marker="^", markersize=4,
        color=hue("ink-soft"), clip_on=False,
    )  # fmt: skip


def _name_lanes(ax: Axes, found: Whole, tops: Sequence[float], line: float, room: float) -> None:
    """Name the lanes in letters for rows of ``line`` points; where those are too small, not every lane."""
    size = max(_SMALLEST, min(8.0, 0.85 * line))
    middles, names, free = [], [], 0.0
    for top, lane in zip(tops, found.rows, strict=False):
        middle = top + _height(lane) / 2
        if (middle - free) * line >= size / 2:
            middles.append(middle)
            names.append(_lane_name(lane, size, room))
            free = middle + size / 2 / line
    ax.set_yticks(middles, names, fontsize=size, **AS_TEXT)


def _lane_name(row: Row, size: float, room: float) -> str:
    name, category = legible(row.name, 120), legible(row.category, 120)
    count = "" if row.count == 1 else f" ({row.count:,})"

    def fits(name: str) -> bool:
        return len(name) <= _LANE_LETTERS and room_for(name + count, size) <= room

    return cut_name(category, name, fits) + count


def _draw_cursor(ax: Axes, x: float, cursor: int) -> None:
    colour = rcParams["axes.edgecolor"]
    ax.axvline(x, color=colour, linewidth=1, linestyle=(0, (4, 2)), zorder=2)
    ax.annotate(
        f"moment {cursor:,}", (x, 1), (0, 2), xycoords=ax.get_xaxis_transform(), textcoords="offset points",
        ha="center", va="bottom", fontsize=7, color=colour, annotation_clip=False,
    )  # fmt: skip


def _draw_marks(ax: Axes, placed: Sequence[_Placed], cursor: int) -> None:
    for kind in IN_LANES:
        for is_past in (False, True):
            chosen = [
                each for each in placed if each.mark.kind == kind and (each.mark.moment <= cursor) is is_past
            ]
            if not chosen:
                continue
            ax.scatter(
                [each.mark.x for each in chosen], [each.y for each in chosen],
                s=[each.size**2 for each in chosen],
                marker=marker(kind),
                **filling(
                    kind,
                    strong(kind) if is_past else hue("later"),
                    [each.size for each in chosen],
                ),
                zorder=3 + is_past - 0.1 * _PRIORITY.get(kind, _USUAL_PRIORITY), clip_on=False,
            )  # fmt: skip


def _draw_deadlines(
    ax: Axes, found: Whole, tops: Sequence[float], cursor: tuple[int, float], across: float, size: float
) -> None:
    """A line for each deadline from where it was set; a clock where it came due, a cross if taken off."""
    (at, now), colours = cursor, (hue("later"), strong("deadline"))
    lines: dict[tuple[bool, str], list[tuple[float, float]]] = {}
    for each in found.deadlines:
        middle = tops[each.lane] + each.within * _height(found.rows[each.lane])
        y = middle + each.down * size / 14 / across
        parted = each.x if each.since > at else min(max(now, each.x), each.until)
        gap = (float("nan"), float("nan"))
        for is_past, start, end in ((True, each.x, parted), (False, parted, each.until)):
            if end > start:
                lines.setdefault((is_past, ""), []).extend(((start, y), (end, y), gap))
        if each.end != "set":
            sign, height = ("x", y) if each.end == "taken off" else ("deadline", middle)
            lines.setdefault((each.until_moment <= at, sign), []).append((each.until, height))
    for (is_past, sign), points in lines.items():
        ax.plot(
            [x for x, _ in points], [y for _, y in points], color=colours[is_past],
            linestyle="" if sign else (0, (3, 2)), linewidth=0.9, zorder=2.5, clip_on=False,
            marker=marker(sign) if sign == "deadline" else sign, markersize=size if sign == "deadline" else 3,
            markerfacecolor=soft("deadline") if is_past else rcParams["axes.facecolor"],
        )  # fmt: skip


def _named(
    placed: Sequence[_Placed], found: Whole, along: float, names: Mapping[DrawnMark, str]
) -> list[_Placed]:
    """The marks whose names have room, the more important ones first; of the commands all or none."""
    taken: dict[int, list[tuple[float, float]]] = {}

    def has_room(mark: DrawnMark) -> bool:
        half, centre = width(names[mark], _LETTERS) / 2 + 2, mark.x * along
        room = taken.setdefault(mark.lane, [])
        if found.rows[mark.lane].count > 1:
            return False
        if any(centre - half < right and left < centre + half for left, right in room):
            return False
        room.append((centre - half, centre + half))
        return True

    ordered = sorted(placed, key=lambda each: _PRIORITY.get(each.mark.kind, _USUAL_PRIORITY))
    named = [each for each in ordered if each.mark.kind != "command" and has_room(each.mark)]
    commands = [each for each in ordered if each.mark.kind == "command"]
    return named + commands if all(has_room(each.mark) for each in commands) else named


def _draw_labels(
    ax: Axes, named: Sequence[_Placed], found: Whole, cursor: int, size: float, names: Mapping[DrawnMark, str]
) -> None:
    ink, later = rcParams["text.color"], hue("later")
    for mark, y, _ in named:
        ax.annotate(
            names[mark], (mark.x, y), (0, size / 2 + 1), textcoords="offset points", ha="center", va="bottom",
            fontsize=_LETTERS, color=ink if mark.moment <= cursor else later, zorder=5, annotation_clip=False,
            bbox=backing(_band(found.rows[mark.lane])), **AS_TEXT,
        )  # fmt: skip


def _band(lane: Row) -> tuple[float, float, float]:
    """The background of a lane: paper with a tint of its kind."""
    tint = soft(lane.kind)
    mixed = [
        0.6 * own + 0.4 * paper
        for own, paper in zip(to_rgb(tint), to_rgb(rcParams["axes.facecolor"]), strict=True)
    ]
    return mixed[0], mixed[1], mixed[2]
