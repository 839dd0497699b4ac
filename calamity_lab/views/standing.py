"""How one process manager instance stands: its marks on the graph, in a sentence, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.steps import AtProcessManager, Stopped
from calamity_lab.model import Model
from calamity_lab.text import format_value, plain_sentence, plural
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace
from calamity_lab.views.awaiting import Awaiting, awaiting
from calamity_lab.views.bringing import bringing
from calamity_lab.views.life import life
from calamity_lab.views.marks import Mark, marks_of
from calamity_lab.views.tally import EdgeKey, tally


@dataclass(frozen=True, slots=True)
class InstanceStanding:
    """How an instance stands: its marks, a sentence, and since when it has done nothing.

    ``since`` is the moment at which it did something last (None: not in this trace), ``then`` the time of the
    latest event at that moment, in seconds since 1970.
    """

    marks: tuple[Mark, ...] = ()
    told: str = ""
    since: int | None = None
    then: float | None = None
    overdue: bool = False


def time_at(trace: Trace, moment: int) -> float | None:
    """When the latest event at a moment was recorded, in seconds since 1970; None before the first."""
    place = trace.index.events_at(moment)
    return trace.index.events[place - 1].recorded_at.timestamp() if place else None


_SPANS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def spell(seconds: float) -> str:
    """A length of time by its largest unit, as in "3 hours"; nothing for less than a second."""
    found = next(((unit, length) for unit, length in _SPANS if seconds >= length), None)
    return "" if found is None else plural(int(seconds // found[1]), found[0])


def standing(
    trace: Trace, cursor: int, model: Model, lane: Lane, *, stage: str, edges: Sequence[EdgeKey]
) -> InstanceStanding:
    """How the instance of that lane stands at the cursor, on a graph with those edges."""
    stream_id = lane.identity.stream_id
    found = life(trace, cursor, stream_id)
    last = found.reactions[-1] if found.reactions else None
    is_alive = trace[cursor].stack.process_managers.get(stream_id) is not None
    waits = Awaiting()
    if is_alive:
        ways = bringing(model, [k for k in tally(trace, cursor).counts if isinstance(k, tuple)])
        waits = awaiting(model, ways, trace[cursor].run, lane.identity.category, lane.identity.id, found)
    since = None if last is None else last.index
    return InstanceStanding(
        marks_of(model, lane.identity, found, waits, last, edges),
        _told(lane.identity, stage, last, waits),
        since,
        None if since is None else time_at(trace, since),
        bool(waits.overdue),
    )


def _told(identity: Identity, stage: str, last: AtProcessManager | None, waits: Awaiting) -> str:
    name = format_value(identity.stream_id, 80)
    if isinstance(last, Stopped) or not (waits.events or stage):
        return plain_sentence(f"{name}: {stage or 'stopped'}")
    parts = [f"“{stage}”" if stage else "", f"waits for {waits.told}" if waits.events else ""]
    return plain_sentence(f"{name}: {', '.join(part for part in parts if part)}")
