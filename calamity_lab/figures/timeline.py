"""The timeline as matplotlib axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from calamity_lab.errors import InvalidValue, Rejected
from calamity_lab.figures.axes import (
    AS_TEXT,
    axes_for,
    fitted,
    ground,
    legend_below,
    legible,
    room_across,
    size_in_points,
    width,
)
from calamity_lab.figures.looks import Theme, filling, hue, legend_mark, marker, soft, strong, themed
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.steps import Appended, AtProcessManager, Dispatched, Refused
from calamity_lab.trace.trace import Trace
from calamity_lab.views.looks import IN_LANES, LOOKS
from calamity_lab.views.tables import moment_of


@dataclass(frozen=True, slots=True)
class Lane:
    """A row: a stream, a process manager instance, or all ``count`` of a category together."""

    name: str
    category: str
    is_manager: bool
    count: int = 1

    @property
    def height(self) -> float:
        """How high it is drawn, where a row of its own is 1; the rows of many are lower than that."""
        return 1.0 if self.count == 1 else min(8.0, 2 + self.count / 8)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment. ``x`` is a position, or lies between two of them.

    Events stand at their position, and reactions at that of the event reacted to. Commands, and reactions
    to refusals, stand between the last event before them and the next, in order. ``within`` is where in its
    lane it stands, from 0 at the top to 1: each instance of a lane of many has a line of its own.
    """

    x: float
    lane: int
    kind: str
    label: str
    moment: int
    within: float = 0.5


@dataclass(frozen=True, slots=True)
class Marks:
    """The lanes in order of appearance, and the marks in them."""

    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    events: int

    def cursor_x(self, cursor: int) -> float:
        """Where the past ends: between the last mark of the past and the first of the future."""
        ordered = [mark for mark in self.marks if mark.kind in _IN_ORDER]
        past = max((mark.x for mark in ordered if mark.moment <= cursor), default=0.0)
        future = min((mark.x for mark in ordered if mark.moment > cursor), default=past + 1)
        return (past + future) / 2


_IN_ORDER = frozenset({"event", "command", "refused"})


@dataclass
class _Walk:
    """Marks found so far; those between two events get their place when all of them are known."""

    places: dict[str, int] = field(default_factory=dict)
    lanes: list[Lane] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    between: dict[int, list[Mark]] = field(default_factory=dict)

    def lane(self, identity: Identity, *, is_manager: bool) -> int:
        place = self.places.setdefault(identity.stream_id, len(self.lanes))
        if place == len(self.lanes):
            self.lanes.append(Lane(identity.stream_id, identity.category, is_manager))
        return place

    def wait(self, events: int, mark: Mark) -> None:
        self.between.setdefault(events, []).append(mark)


def marks_of(trace: Trace, *, most_lanes: int = 30) -> Marks:
    """Everything that the current branch of a trace holds, past and future.

    Where there are more lanes, the categories with the most of them get one lane each.
    """
    walk, index = _Walk(), trace.index
    for lane in index.lanes.iterate(0, index.lanes_at(0)):
        walk.lane(lane.identity, is_manager=lane.is_manager)
    for event in index.events.iterate(0, index.events_at(0)):
        lane_number = walk.lane(Identity.parse(event.stream_id), is_manager=False)
        walk.marks.append(Mark(event.position, lane_number, "event", event.event_type, 0))
    _walk(walk, trace)
    for events, waiting in walk.between.items():
        share = 1 / (len(waiting) + 1)
        walk.marks += [replace(mark, x=events + n * share) for n, mark in enumerate(waiting, 1)]
    ordered = sorted(walk.marks, key=lambda mark: (mark.moment, mark.x))
    return _folded(walk.lanes, ordered, len(index.events), most_lanes)


def _walk(walk: _Walk, trace: Trace) -> None:
    index = trace.index
    events = index.events_at(0)
    for step in trace.steps:
        match step:
            case Dispatched():
                lane = walk.lane(step.identity, is_manager=False)
                walk.wait(events, Mark(0, lane, "command", step.pending.command_type, step.index))
            case Refused():
                lane = walk.lane(step.identity, is_manager=False)
                if index.command_start(step.index):  # else it was dispatched before the trace began
                    walk.between[events].pop()
                walk.wait(events, Mark(0, lane, "refused", step.pending.command_type, step.index))
            case Appended():
                known = index.events_at(step.index)
                for event in index.events.iterate(events, known):  # also what others recorded meanwhile
                    lane = walk.lane(Identity.parse(event.stream_id), is_manager=False)
                    walk.marks.append(Mark(event.position, lane, "event", event.event_type, step.index))
                events = known
            case AtProcessManager():
                _reaction(walk, step, events)


def _reaction(walk: _Walk, step: AtProcessManager, events: int) -> None:
    kind, trigger = step.kind.lower(), step.trigger
    label = ", ".join(f"→ {pending.command_type}" for pending in step.commands) or kind
    mark = Mark(0, walk.lane(step.identity, is_manager=True), kind, label, step.index)
    if isinstance(trigger, Rejected):
        walk.wait(events, mark)
    else:
        walk.marks.append(replace(mark, x=trigger.position))


def _folded(lanes: list[Lane], marks: list[Mark], events: int, most: int) -> Marks:
    counts = Counter(lane.category for lane in lanes)
    together = _largest(counts, len(lanes), most)
    rows: dict[str, Lane] = {}
    seen: Counter[str] = Counter()
    homes: list[tuple[int, float]] = []
    for lane in lanes:
        category = lane.category
        if category not in together:
            rows[lane.name] = lane
            homes.append((list(rows).index(lane.name), 0.5))
            continue
        seen[category] += 1
        rows.setdefault(f"{category} together", replace(lane, name=category, count=counts[category]))
        homes.append((list(rows).index(f"{category} together"), seen[category] / (counts[category] + 1)))
    moved = (replace(mark, lane=homes[mark.lane][0], within=homes[mark.lane][1]) for mark in marks)
    return Marks(tuple(rows.values()), tuple(moved), events)


def _largest(counts: Counter[str], lanes: int, most: int) -> set[str]:
    """The categories that share a lane each, so that there are no more than ``most`` lanes."""
    together: set[str] = set()
    for category, count in counts.most_common():
        if lanes <= most:
            break
        together.add(category)
        lanes -= count - 1
    return together


_LETTERS, _SMALLEST = 6.5, 5.0
_LEAST = 2.2
_MOST_LABELLED, _MOST_DRAWN = 400, 5_000
_PRIORITY = {"refused": 0, "event": 1, "started": 2, "continued": 2, "stopped": 2, "ignored": 2, "command": 3}


class _Placed(NamedTuple):
    """A mark, how far down it stands, and its size in points."""

    mark: Mark
    y: float
    size: float


def _placed(mark: Mark, lane: Lane, top: float, across: float, size: float) -> _Placed:
    room = lane.height / lane.count * across
    return _Placed(mark, top + mark.within * lane.height, max(_LEAST, min(size, room)))


@themed
def plot_timeline(
    trace: Trace, cursor: int | None = None, ax: Axes | None = None, *, theme: Theme | None = None
) -> Axes:
    """Draw what happened, a lane for each stream and process manager, by the position of the events.

    What is past at the cursor (None: the last moment) is in colour, the rest is grey. A mark is named where
    there is room for its name; the accepted commands only where there is room for all of their names. With
    more than thirty lanes the largest categories share a lane each; of more than 5,000 marks those that lie
    under others of their kind are left out, and counted.
    """
    if not isinstance(trace, Trace):
        raise InvalidValue(
            f"plot_timeline({trace!r}): give a trace and a cursor, as in lab.trace, lab.cursor"
        )
    at = moment_of(trace, cursor)
    found = marks_of(trace)
    tops = [0.0, *accumulate(lane.height for lane in found.lanes)]
    ax = axes_for("plot_timeline", ax, (10.0, min(max(2.6, 1.5 + 0.34 * tops[-1]), 13.0)))
    room = 0.4 * room_across(ax)
    _lay_out(ax, found, tops)
    _name_lanes(ax, found, tops, 8.0, room)
    _draw_cursor(ax, found, at)
    size_in_points(ax)  # the names take some room from what is below
    _draw_legend(ax, found.marks)
    wide, high = size_in_points(ax)
    along, across = wide / (found.events + 1), high / max(tops[-1], 1)
    if across < 9:
        _name_lanes(ax, found, tops, across, room)
    size = max(_LEAST, min(8.0, 0.42 * across, 2 * along))
    seen = told_apart(found, at, size / along, size / across)
    placed = [_placed(mark, found.lanes[mark.lane], tops[mark.lane], across, size) for mark in seen]
    _draw_marks(ax, placed, at)
    left = len(found.marks) - len(seen)
    if left:
        told = (
            f"position (left out: {left:,} of {len(found.marks):,} marks that lie under others of their kind)"
        )
        ax.set_xlabel(fitted(told, 8, wide), fontsize=8)
    if len(placed) <= _MOST_LABELLED and across >= size + 1.5 * _LETTERS:
        _draw_labels(ax, _named(placed, found, along), found, at, size)
    return ax


def told_apart(found: Marks, cursor: int, wide: float, high: float) -> Sequence[Mark]:
    """The marks; of very many of them one for each place, since a picture has no room for more."""
    if len(found.marks) <= _MOST_DRAWN:
        return found.marks
    places: dict[tuple[str, bool, int, int, int], Mark] = {}
    for mark in found.marks:
        down = mark.within * found.lanes[mark.lane].height
        key = (mark.kind, mark.moment <= cursor, mark.lane, int(mark.x / wide), int(down / high))
        places.setdefault(key, mark)
    return tuple(places.values())


def _lay_out(ax: Axes, found: Marks, tops: Sequence[float]) -> None:
    count = len(found.lanes)
    ax.set_xlim(0, found.events + 1)
    ax.set_ylim(max(tops[-1], 1), 0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("position", fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    ax.set_yticks([])
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    for number, lane in enumerate(found.lanes):
        ground = soft("process manager" if lane.is_manager else "aggregate")
        ax.axhspan(
            tops[number] + 0.04, tops[number + 1] - 0.04, color=ground, alpha=0.6, linewidth=0, zorder=0
        )
    if not count:
        ax.text(0.5, 0.5, "nothing has happened yet", transform=ax.transAxes, ha="center", va="center")


def _name_lanes(ax: Axes, found: Marks, tops: Sequence[float], line: float, room: float) -> None:
    """Name the lanes in letters for rows of ``line`` points; where those are too small, not every lane."""
    size = max(_SMALLEST, min(8.0, 0.85 * line))
    middles, names, free = [], [], 0.0
    for top, lane in zip(tops, found.lanes, strict=False):
        middle = top + lane.height / 2
        if (middle - free) * line >= size / 2:
            middles.append(middle)
            names.append(fitted(_lane_name(lane), size, room))
            free = middle + size / 2 / line
    ax.set_yticks(middles, names, fontsize=size, **AS_TEXT)


def _lane_name(lane: Lane) -> str:
    name = legible(lane.name, 32)
    return name if lane.count == 1 else f"{name} ({lane.count:,})"


def _draw_cursor(ax: Axes, found: Marks, cursor: int) -> None:
    x = found.cursor_x(cursor)
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
                zorder=3 + is_past - 0.1 * _PRIORITY[kind], clip_on=False,
            )  # fmt: skip


def _draw_legend(ax: Axes, marks: Iterable[Mark]) -> None:
    kinds = {mark.kind for mark in marks}
    handles = [legend_mark(kind) for kind in LOOKS if kind in kinds]
    if handles:
        legend_below(ax, handles, gap=36)


def _named(placed: Sequence[_Placed], found: Marks, along: float) -> list[_Placed]:
    """The marks for whose name there is room, the more telling ones first; of the commands all or none."""
    taken: dict[int, list[tuple[float, float]]] = {}

    def has_room(mark: Mark) -> bool:
        half, centre = width(_name(mark), _LETTERS) / 2 + 2, mark.x * along
        room = taken.setdefault(mark.lane, [])
        if found.lanes[mark.lane].count > 1:
            return False
        if any(centre - half < right and left < centre + half for left, right in room):
            return False
        room.append((centre - half, centre + half))
        return True

    ordered = sorted(placed, key=lambda each: _PRIORITY[each.mark.kind])
    named = [each for each in ordered if each.mark.kind != "command" and has_room(each.mark)]
    commands = [each for each in ordered if each.mark.kind == "command"]
    return named + commands if all(has_room(each.mark) for each in commands) else named


def _name(mark: Mark) -> str:
    return legible(mark.label, 40)


def _draw_labels(ax: Axes, named: Sequence[_Placed], found: Marks, cursor: int, size: float) -> None:
    ink, later = rcParams["text.color"], hue("later")
    for mark, y, _ in named:
        ax.annotate(
            _name(mark), (mark.x, y), (0, size / 2 + 1), textcoords="offset points", ha="center", va="bottom",
            fontsize=_LETTERS, color=ink if mark.moment <= cursor else later, zorder=5, annotation_clip=False,
            bbox=ground(_band(found.lanes[mark.lane])), **AS_TEXT,
        )  # fmt: skip


def _band(lane: Lane) -> tuple[float, float, float]:
    """The ground of a lane, which is paper with a tint of its kind."""
    tint = soft("process manager" if lane.is_manager else "aggregate")
    mixed = [
        0.6 * own + 0.4 * paper
        for own, paper in zip(to_rgb(tint), to_rgb(rcParams["axes.facecolor"]), strict=True)
    ]
    return mixed[0], mixed[1], mixed[2]
