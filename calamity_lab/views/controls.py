"""The controls: the moment of the cursor, what happened there, and the window of a long list around it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from calamity_lab.errors import CalamityError
from calamity_lab.kernel.clocks_and_ids import TickingClock
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.steps import Elapsed
from calamity_lab.model import Model
from calamity_lab.text import format_value, how_far_off, plain_sentence, plural, point_in_time
from calamity_lab.trace.trace import Moment, Trace


def followed(now: int, total: int, width: int) -> int:
    """The index at which a window begins that holds item ``now``, with room before and after it.

    Windows begin at multiples of half their width, so that stepping moves them seldom.
    """
    stride = max(width // 2, 1)
    before = max(stride // 2, 1)
    first = max(0, (now - before) // stride) * stride
    furthest = -(-max(total - width, 0) // stride) * stride
    return min(first, furthest)


def bounded(first: int | None, now: int, total: int, width: int) -> int:
    """The index at which a window begins: ``first`` within bounds, else one that follows ``now``."""
    if first is None:
        return followed(now, total, width)
    return max(0, min(first, total - 1))


def has_content(view: str, trace: Trace, model: Model) -> bool:
    """Whether a view has anything to show at any moment of the branch, wherever the cursor is."""
    holds = _NEEDS.get(view)
    return holds is None or holds(trace, model)


def _has_cascades(trace: Trace, _model: Model) -> bool:
    """Whether a command was dispatched, is in progress, or left events in the history."""
    index = trace.index
    return bool(index.dispatched or index.events) or trace[0].run.progress is not None


def _has_commands(trace: Trace) -> bool:
    """Whether a command was sent, and waits or was dispatched: then there is an order to explore."""
    return bool(trace.index.dispatched or trace[trace.last].agenda)


_NEEDS: Mapping[str, Callable[[Trace, Model], bool]] = {
    "process_graph": lambda _trace, model: bool(model.process_managers),
    "sequence": _has_cascades,
    "log": _has_cascades,
    "comparison": lambda trace, _model: len(trace.branches) > 1,
    "exploring": lambda trace, model: bool(model.process_managers) and _has_commands(trace),
}


MOST_TICKS = 400

NO_DEADLINE = "No deadline is set"

Tone = Literal["plain", "good", "rejected", "conflict", "error"]


@dataclass(frozen=True, slots=True)
class ControlsView:
    """The cursor among the moments, and what happened at it as one sentence.

    ``ticks`` are the moments at which a command was dispatched, ``rejections`` the moments of rejections; of
    many, some that are evenly spread among them. ``is_stopped``: a breakpoint stopped the last move here.
    ``wait`` says for which deadline one can wait; where that is "", ``no_wait`` says why not.
    """

    cursor: int
    last: int
    at_start: bool
    at_end: bool
    sentence: str
    tone: Tone
    command_number: int
    commands: int
    ticks: tuple[int, ...]
    rejections: tuple[int, ...]
    branch: str
    is_stopped: bool = False
    wait: str = ""
    no_wait: str = NO_DEADLINE


def controls(trace: Trace, cursor: int, error: CalamityError | None = None) -> ControlsView:
    """The controls at the cursor; ``error`` is what stopped the last move, if anything did."""
    moment, index = trace[cursor], trace.index
    text, tone = _sentence_and_tone(moment)
    before, (wait, no_wait) = index.events_at(0), _wait(trace, cursor)
    if moment.step is None and before:
        text = f"{text}; the history has {plural(before, 'event')}"
    if error is None and (broken := _broken(trace, cursor)):
        text, tone = f"{text}. {broken}", "error"
    return ControlsView(
        cursor=cursor,
        last=trace.last,
        at_start=cursor == 0,
        at_end=cursor == trace.last and moment.run.idle,
        sentence=text if error is None else format_value(str(error)),
        tone=tone if error is None else "error",
        command_number=bisect_right(index.dispatched, cursor) - bisect_right(index.elapsed, cursor),
        commands=len(index.dispatched) - len(index.elapsed),
        ticks=_thinned(index.dispatched),
        rejections=_thinned(index.rejections),
        branch=trace.branch.name,
        wait=wait,
        no_wait=no_wait,
    )


def time_of(trace: Trace, cursor: int) -> datetime | None:
    """The time at a moment: of its clock if this ticks, else of what happened last; None if nothing did."""
    moment, index = trace[cursor], trace.index
    if isinstance(moment.stack.clock, TickingClock):
        return moment.stack.clock.now
    events, waits = index.events_at(cursor), bisect_right(index.elapsed, cursor)
    recorded = index.events[events - 1].recorded_at if events else None
    step = trace[index.elapsed[waits - 1]].step if waits else None
    times = [step.now] if isinstance(step, Elapsed) else []
    return max([*times, recorded] if recorded is not None else times, default=None)


def due_words(trace: Trace, cursor: int, due_at: datetime) -> str:
    """How far off a deadline is at a moment, as in "in 15 min"; "overdue" where its time is past."""
    now = time_of(trace, cursor)
    if now is None:
        return ""
    return f"overdue: {how_far_off(due_at, now)}" if due_at < now else how_far_off(due_at, now)


def _wait(trace: Trace, cursor: int) -> tuple[str, str]:
    """For which deadline one can wait, or else why one cannot."""
    run = trace[cursor].run
    following = run.stack.deadlines.first
    if run.progress is not None:
        return "", f"Time passes between commands, and {run.progress.pending.command_type} is in progress"
    if following is None or following.due_at is None:
        return "", NO_DEADLINE
    far = due_words(trace, cursor, following.due_at)
    when = f"{point_in_time(following.due_at)}{far and f' ({far})'}"
    return plain_sentence(f"Wait until {following.deadline} of {following.sender} is due: {when}"), ""


def _broken(trace: Trace, cursor: int) -> str:
    """What the command at the cursor broke among the projections; before the first, what was broken."""
    projections, start = trace.index.projections, trace.index.command_start(cursor)
    found = [each for each in projections.broken if start <= each.moment <= cursor]
    if not found:
        return ""
    name, problem = found[0].identity.stream_id, found[0].after.problem
    more = f", and so are {len(found) - 1:,} more" if len(found) > 1 else ""
    return format_value(f"The projection {name} is broken{more}: {problem}")


def _sentence_and_tone(moment: Moment) -> tuple[str, Tone]:
    """The sentence of a moment and its tone; a completed command has the tone of its decision."""
    step = moment.step
    decisive = moment.decision if step is not None and step.ends else step
    return format_value(repr(moment)), "plain" if decisive is None else _TONES.get(decisive.tone, "plain")


_TONES: Mapping[str, Tone] = {
    "accepted": "good",
    "rejected": "rejected",
    "conflict": "conflict",
    "injected": "conflict",
}


def _thinned(moments: PersistentVector[int]) -> tuple[int, ...]:
    """At most `MOST_TICKS` of the moments, evenly spread, with the last one; few change when one is added."""
    stride = 1
    while len(moments) > stride * (MOST_TICKS - 1):
        stride *= 2
    if stride == 1:
        return tuple(moments)
    kept = tuple(moments[n] for n in range(0, len(moments) - 1, stride))
    return (*kept, moments[-1])
