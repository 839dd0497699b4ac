"""What is drawn on a timeline, as plain values: a lane for each stream and process manager, and its marks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from calamity_lab.errors import Rejected
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.steps import Appended, AtProcessManager, Dispatched, Refused
from calamity_lab.trace.trace import Trace


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
