"""A run as one plain value: what the lab shows at every moment, so that a page needs nobody to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from calamity_lab.errors import ModelError
from calamity_lab.model import Model
from calamity_lab.pages import ways
from calamity_lab.pages.lanes import lanes
from calamity_lab.pages.packing import Packing
from calamity_lab.pages.standings import Standings
from calamity_lab.stepper import Stepper
from calamity_lab.text import format_value
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import UNDECIDED
from calamity_lab.views.events import event_rows
from calamity_lab.views.found import refusals, streams
from calamity_lab.views.matter import has_matter
from calamity_lab.widgets.desk import Desk
from calamity_lab.widgets.looks import TABS
from calamity_lab.widgets.patches import plain
from calamity_lab.widgets.sight import Sight

MOST_MOMENTS = 5_000
"""A run of so many moments is kept whole."""

THINNED = 2_000
"""Of a longer one so many moments are kept, evenly, at which a command is done."""

PENDING = 36
"""So many commands of the agenda are told at each moment."""

_EVERY = 10**9
_LOOKS: Mapping[str, Mapping[str, int]] = {
    "agenda": {"limit": PENDING},
    "state": {"limit": _EVERY},
    "sequence": {"limit": 100},
}


@dataclass(frozen=True)
class Reader:
    """Looks at a run moment by moment, without moving the lab's own cursor.

    ``broken`` is what a callback of the model did at the end of the run, where one broke.
    """

    stepper: Stepper
    model: Model
    broken: ModelError | None

    def send(self, *_commands: Any) -> None:
        """Nothing: a reader changes nothing."""

    @classmethod
    def of(cls, desk: Desk) -> Reader:
        """A reader of a desk's current branch."""
        stepper, error = copy(desk.stepper), desk.stepper.error
        stepper.error = None
        at_end = stepper.cursor == stepper.trace.last
        return cls(stepper, desk.model, error if at_end and isinstance(error, ModelError) else None)

    @property
    def at_end(self) -> bool:
        """Whether it looks at the last moment."""
        return self.stepper.cursor == self.stepper.trace.last


def recording(desk: Desk) -> dict[str, Any]:
    """What the lab shows at every moment of the current branch, as JSON knows it; the cursor stays.

    ``moments`` are those that are kept, ``steps`` what each changed, by part (see `Packing`), ``rows`` the
    rows that these tell by their numbers. The events and the lanes' marks stand beside them, once: which of
    them are past follows from the moment.
    """
    trace = desk.stepper.trace
    moments = kept(trace)
    packing = Packing()
    steps = list(_steps(Reader.of(desk), packing, moments))
    return {
        "start": desk.stepper.cursor,
        "last": trace.last,
        "pending": PENDING,
        "tabs": [tab for tab in TABS if has_matter(tab, trace, desk.model)],
        "moments": moments,
        "over": ways.over(trace, moments),
        "out": ways.out(trace, moments),
        "back_over": ways.back_over(trace, moments),
        "events": [plain(row) for row in event_rows(trace, trace.last, first=0, limit=_EVERY).rows],
        "chart": lanes(trace),
        "found": {"streams": plain(streams(trace)), "refusals": plain(refusals(trace))},
        "steps": steps,
        "rows": packing.rows,
    }


def kept(trace: Trace) -> list[int]:
    """The moments that a page keeps: all; of a long run the first, the last, and some that end a command."""
    if len(trace) <= MOST_MOMENTS:
        return list(range(len(trace)))
    completed = trace.index.completed
    stride = max(-(-len(completed) // (THINNED - 2)), 1)
    return sorted({0, trace.last, *(completed[n] for n in range(stride - 1, len(completed), stride))})


def _steps(reader: Reader, packing: Packing, moments: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What each of the moments changed, by part. A process graph is a part for each process manager."""
    sights, grounds, standings = (
        _sights(reader),
        dict[str, Any](),
        Standings(reader.stepper.trace, reader.model),
    )
    for moment in moments:
        reader.stepper.cursor = moment
        changed = {}
        for name, (part, sight) in sights.items():
            ground = _GROUNDS.get(part, lambda _reader: None)(reader)
            if ground is not None and _is_same(ground, grounds.get(name)):
                continue
            grounds[name] = ground
            view = _FOR_PAGES.get(part, _as_it_is)(sight.views()[part], reader)
            if fields := packing.changes(name, view):
                changed[name] = fields
            if part == "process_graph":
                for of, stands in standings.changed(view):
                    if fields := packing.changes(of, stands):
                        changed[of] = fields
        yield changed


def _sights(reader: Reader) -> dict[str, tuple[str, Sight]]:
    """The views by the names that the page knows them by: each with its part, and who looks at it."""
    # Of the events and the timeline the page makes its own windows.
    parts = ("controls", "agenda", *(tab for tab in TABS if tab != "events"))
    sights = {part: (part, Sight(reader, (part,))) for part in parts}
    for part, look in _LOOKS.items():
        if part in sights:
            sights[part][1].look(part, look)
    for manager in reader.model.process_managers[1:]:
        sight = Sight(reader, ("process_graph",))
        sight.look("process_graph", {"manager": manager.__name__})
        sights[f"process_graph {manager.__name__}"] = ("process_graph", sight)
    return sights


def _as_it_is(view: Any, _reader: Reader) -> Any:
    return view


def _controls(view: Any, reader: Reader) -> Any:
    """There is no way on from the last recorded moment, and no other branch."""
    branches = tuple(branch for branch in view.branches if branch.current)
    view = replace(view, at_end=reader.at_end, branches=branches)
    if reader.at_end and reader.broken is not None:
        return replace(view, sentence=format_value(str(reader.broken)), tone="error")
    return view


_FOR_PAGES: Mapping[str, Callable[[Any, Reader], Any]] = {"controls": _controls}


def _under_agenda(reader: Reader) -> tuple[Any, ...]:
    run = reader.stepper.moment.run
    progress, stack = run.progress, run.stack
    # What the commands would lead to depends on the aggregates, and is told of one that is not decided yet.
    undecided = isinstance(progress, UNDECIDED)
    return run.agenda, progress and progress.pending, undecided, stack.aggregates, stack.event_store


def _under_state(reader: Reader) -> tuple[Any, ...]:
    stack, trace = reader.stepper.moment.stack, reader.stepper.trace
    command = trace[trace.index.command_start(reader.stepper.cursor)]
    stores = (stack.aggregates, stack.process_managers)
    return (command, *stores, stack.aggregate_versions, stack.process_manager_versions)


# What a view stands on: while these are the very same objects, so is the view, and need not be asked.
_GROUNDS: Mapping[str, Callable[[Reader], tuple[Any, ...]]] = {
    "agenda": _under_agenda,
    "state": _under_state,
}


def _is_same(ground: tuple[Any, ...], before: Any) -> bool:
    return before is not None and all(one is other for one, other in zip(ground, before, strict=True))
