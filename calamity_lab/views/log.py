"""The log: what happened, as one list in order, with what is yet to come."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Literal, NamedTuple

from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import Elapsed, Injected, Step
from calamity_lab.text import format_fields, format_value, plain_sentence, plural
from calamity_lab.trace.projections import BrokenProjection, ProjectionChange
from calamity_lab.trace.sentences import fact, of_deadlines, origin
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import Chart, Charts, Mark, change_of, command_mark
from calamity_lab.views.controls import bounded
from calamity_lab.views.events import LENGTH, EventTexts
from calamity_lab.views.looks import LOOKS
from calamity_lab.views.search_index import Searchable, places, small
from calamity_lab.views.selected import changed_text

Only = Literal["all", "commands", "events", "rejections", "steps"]
"""The rows that are listed: ``all`` is what has a mark in the lanes, ``steps`` is every step of the run."""

_Thing = RecordedEvent | ProjectionChange | Step


@dataclass(frozen=True, slots=True)
class LogRow:
    """One thing that happened: a command, a rejection, an event, a reaction, a projection's change, a step.

    ``depth`` counts the commands above it in the chain of causes, and ``cause`` names what led to it.
    ``detail`` are its fields, ``outcome`` what became of it at the moment ``decided``.
    """

    mark: Mark
    kind: str
    name: str
    stream_id: str
    detail: str
    outcome: str
    cause: str
    depth: int
    moment: int
    is_past: bool
    decided: int | None = None
    is_decided: bool = False
    position: int | None = None
    recorded_at: str = ""
    correlation: str = ""


@dataclass(frozen=True, slots=True)
class LogView:
    """A window on the matching rows: ``total`` match, ``now`` of them past, ``first`` are before it."""

    only: Only
    query: str
    total: int
    now: int
    first: int
    rows: tuple[LogRow, ...]


def log_rows(
    trace: Trace,
    cursor: int,
    *,
    chart: Chart | None = None,
    only: Only = "all",
    query: str = "",
    first: int | None = None,
    limit: int = 40,
) -> LogView:
    """The rows that match the query, around the cursor or from index ``first`` on.

    ``chart`` is the one of the trace, where it is known.
    """
    listing, wanted, limit = _LISTINGS[only](trace, chart), query.strip().casefold(), max(1, limit)
    past = listing.upto(cursor)
    if wanted:
        found = _found(trace, only, listing, wanted)
        total, now = len(found), bisect_right(found, past - 1)
        first = bounded(first, now, total, limit)
        marks: Iterable[Mark] = map(listing.mark, found[first : first + limit])
    else:
        total, now = listing.length, past
        first = bounded(first, now, total, limit)
        marks = islice(listing.since(first), limit)
    row = _step_row if only == "steps" else _row
    return LogView(only, query, total, now, first, tuple([row(trace, mark, cursor) for mark in marks]))


def as_text(view: LogView) -> str:
    """The rows as lines, for a script: > marks the last row that is past, - the rows that are yet to come."""
    behind = view.total - view.first - len(view.rows)
    return (
        "\n".join(
            [
                *([f"… {plural(view.first, 'row')} before"] if view.first else []),
                *(_line(row, view.first + place + 1 - view.now) for place, row in enumerate(view.rows)),
                *([f"… {plural(behind, 'row')} after"] if behind > 0 else []),
            ]
        )
        or "Nothing has happened yet"
    )


def _line(row: LogRow, ahead: int) -> str:
    name = row.name if row.position is None else f"{row.name} #{row.position:,}"
    texts = (name, row.stream_id, row.detail, row.outcome)
    sign = ">" if ahead == 0 else "-" if ahead > 0 else " "
    return f"{sign} {row.moment:>5,}  {'  ' * row.depth}{' · '.join(filter(None, texts))}"


class _Listing(NamedTuple):
    """Rows by their marks: ``upto`` says how many of them are past at a moment."""

    length: int
    mark: Callable[[int], Mark]
    since: Callable[[int], Iterator[Mark]]
    upto: Callable[[int], int]


def _listing(length: int, mark: Callable[[int], Mark], upto: Callable[[int], int]) -> _Listing:
    return _Listing(length, mark, lambda start: map(mark, range(start, length)), upto)


def _everything(trace: Trace, chart: Chart | None) -> _Listing:
    merged = _Merged(trace, Charts().of(trace) if chart is None else chart)
    return _Listing(merged.length, lambda place: next(merged.since(place)), merged.since, merged.upto)


class _Merged:
    """The marks of the lanes in order, without a list of them: each event is followed by its changes."""

    def __init__(self, trace: Trace, chart: Chart) -> None:
        self._sizes, columns = chart.sizes, chart.columns
        self._events, self._steps = columns.events.moments, columns.steps.moments
        self._changes = columns.changes.events
        self._undecided = _undecided(trace, self._steps)
        self._last = trace.last
        self.length = sum((self._sizes.events, self._sizes.steps, self._sizes.changes, len(self._undecided)))

    def since(self, start: int) -> Iterator[Mark]:
        """The marks from a row on."""
        event = bisect_right(range(1, self._sizes.events + 1), start, key=self._row_of)
        change, step = self._before(event)
        rest = start - self._row_of(event) if event else start + 1
        if rest > 0:  # the row is behind the event: one of its changes, or a step
            own = bisect_right(self._changes, event, 0, self._sizes.changes) - change
            change += min(rest - 1, own)
            step += max(rest - 1 - own, 0)
        behind = self._undecided[max(start - self.length + 1, 0) :]
        return chain(self._follow(event, change, step, is_behind=rest > 0), behind)

    def upto(self, moment: int) -> int:
        """How many rows are past at a moment."""
        sizes = self._sizes
        events = bisect_right(self._events, moment, 0, sizes.events)
        steps = bisect_right(self._steps, moment, 0, sizes.steps)
        changes = bisect_right(self._changes, events, 0, sizes.changes)
        return events + steps + changes + sum(mark.number <= moment for mark in self._undecided)

    def _before(self, event: int) -> tuple[int, int]:
        """How many changes and steps are before an event; a fault is before the events that it records."""
        moment = self._events[event - 1] if event else 0
        changes = bisect_left(self._changes, event, 0, self._sizes.changes)
        return changes, bisect_right(self._steps, moment, 0, self._sizes.steps) if event else 0

    def _row_of(self, event: int) -> int:
        return event - 1 + sum(self._before(event))

    def _follow(self, event: int, change: int, step: int, *, is_behind: bool) -> Iterator[Mark]:
        sizes = self._sizes
        for number in range(event, sizes.events + 1):
            if number > event or not is_behind:
                yield Mark("event", number)
            changes = bisect_right(self._changes, number, 0, sizes.changes)
            yield from (Mark("change", each) for each in range(change + 1, changes + 1))
            end = self._events[number] if number < sizes.events else self._last + 1
            steps = bisect_right(self._steps, end, 0, sizes.steps)
            yield from (Mark("step", self._steps[each]) for each in range(step, steps))
            change, step = max(change, changes), max(step, steps)


def _undecided(trace: Trace, marked: Sequence[int]) -> tuple[Mark, ...]:
    """The command in progress at the end of the branch, as long as it has no mark in the lanes."""
    start = trace.index.command_start(trace.last)
    if not start or trace[trace.last].decision is not None:
        return ()
    place = bisect_left(marked, start)
    return () if place < len(marked) and marked[place] == start else (Mark("step", start),)


def _commands(trace: Trace, _chart: Chart | None) -> _Listing:
    dispatched = trace.index.dispatched

    def mark(place: int) -> Mark:
        found = command_mark(trace, dispatched[place])
        assert found is not None, "no command is dispatched at moment 0"
        return found

    places_of = range(len(dispatched))
    return _listing(
        len(dispatched), mark, lambda moment: bisect_right(places_of, moment, key=lambda n: mark(n).number)
    )


def _events(trace: Trace, _chart: Chart | None) -> _Listing:
    index = trace.index
    return _listing(len(index.events), lambda place: Mark("event", place + 1), index.events_at)


def _rejections(trace: Trace, _chart: Chart | None) -> _Listing:
    rejected = trace.index.rejections
    return _listing(
        len(rejected), lambda n: Mark("step", rejected[n]), lambda moment: bisect_right(rejected, moment)
    )


def _steps(trace: Trace, _chart: Chart | None) -> _Listing:
    return _listing(trace.last, lambda place: Mark("step", place + 1), lambda moment: moment)


_LISTINGS: Mapping[Only, Callable[[Trace, Chart | None], _Listing]] = {
    "all": _everything,
    "commands": _commands,
    "events": _events,
    "rejections": _rejections,
    "steps": _steps,
}


def _found(trace: Trace, only: Only, listing: _Listing, wanted: str) -> list[int]:
    """The indices of the rows that contain the query, which must be in lower case."""
    texts = EventTexts()
    # The texts of the events are those of the search of the whole run.
    kind = "event" if only == "events" else f"log of {only}"
    row = Searchable(
        kind,
        listing.length,
        lambda place: _thing(trace, listing.mark(place)),
        lambda start: (_thing(trace, mark) for mark in listing.since(start)),
        lambda thing: _text(trace, thing, texts, whole=only == "steps"),
    )
    return places(trace.memo, row, wanted)


def _thing(trace: Trace, mark: Mark) -> _Thing:
    if mark.kind == "event":
        return trace.index.events[mark.number - 1]
    found = change_of(trace, mark) if mark.kind == "change" else trace[mark.number].step
    assert found is not None, "the mark was read off the trace"
    return found


def _text(trace: Trace, thing: _Thing, texts: EventTexts, *, whole: bool) -> str:
    """The text of a row in which a query is searched; of a step as a row of its own its sentence, too."""
    if isinstance(thing, RecordedEvent):
        return texts.of(thing)
    if isinstance(thing, ProjectionChange):
        event = trace.index.events[thing.event - 1]
        names = _change(thing, event)
        return small(format_value(thing.identity.stream_id), *names, format_value(event.correlation_id))
    pending, stream_id = thing.pending, format_value(thing.stream_id or "")
    correlation = format_value(pending.correlation_id)
    if whole:
        return small(stream_id, fact(thing), pending.command_type, correlation)
    if isinstance(thing, Elapsed):
        return small(fact(thing))
    if thing.trigger is not None or thing.is_injected:
        return small(stream_id, *_reaction(thing), correlation)
    fields = texts.fields.of(pending.command)
    return small(stream_id, pending.command_type, origin(pending), correlation, fields, _rejection(thing))


# How a row is made of what a mark names.


def _row(trace: Trace, mark: Mark, cursor: int) -> LogRow:
    thing = _thing(trace, mark)
    if isinstance(thing, RecordedEvent):
        return _event_row(trace, mark, thing, cursor)
    if isinstance(thing, ProjectionChange):
        return _change_row(trace, mark, thing, cursor)
    if isinstance(thing, Elapsed):
        return _step_row(trace, mark, cursor)
    is_command = thing.trigger is None and not thing.is_injected
    return _command_row(trace, mark, thing, cursor) if is_command else _reaction_row(thing, cursor)


def _event_row(trace: Trace, mark: Mark, event: RecordedEvent, cursor: int) -> LogRow:
    moment = trace.index.event_moments[mark.number - 1]
    return LogRow(
        mark=mark,
        kind="event",
        name=event.event_type,
        stream_id=format_value(event.stream_id),
        detail=format_fields(event.event, LENGTH),
        outcome="",
        cause=format_value(event.metadata.get("command", "")),
        depth=_depth(trace, moment),
        moment=moment,
        is_past=moment <= cursor,
        position=event.position,
        recorded_at=format_value(event.recorded_at),
        correlation=format_value(event.correlation_id),
    )


def _change_row(trace: Trace, mark: Mark, change: ProjectionChange, cursor: int) -> LogRow:
    event = trace.index.events[change.event - 1]
    name, cause = _change(change, event)
    return LogRow(
        mark=mark,
        kind="rejected" if isinstance(change.after, BrokenProjection) else "projection",
        name=name,
        stream_id=format_value(change.identity.stream_id),
        detail=format_value(changed_text(change), LENGTH),
        outcome="",
        cause=cause,
        depth=_depth(trace, change.moment),
        moment=change.moment,
        is_past=change.moment <= cursor,
        correlation=format_value(event.correlation_id),
    )


def _command_row(trace: Trace, mark: Mark, step: Step, cursor: int) -> LogRow:
    decision = trace[trace.command_end(step.index)].decision
    outcome = "" if decision is None else _rejection(decision)
    is_rejected = bool(outcome)
    if decision is not None and not is_rejected:
        events = plural(len(decision.event_types), "event") if decision.event_types else "no event"
        outcome = f"accepted, {events}"
    return replace(
        _of_step(step, mark, cursor, "rejected" if is_rejected else "command", step.pending.command_type),
        detail=format_fields(step.command, LENGTH),
        outcome=outcome,
        cause=origin(step.pending),
        depth=step.depth,
        decided=None if decision is None else decision.index,
        is_decided=decision is not None and decision.index <= cursor,
    )


def _reaction_row(step: Step, cursor: int) -> LogRow:
    name, cause, outcome = _reaction(step)
    kind = step.verb if step.verb in LOOKS else "process manager"
    row = _of_step(step, Mark("step", step.index), cursor, kind, name)
    return replace(row, outcome=outcome, cause=cause)


def _step_row(trace: Trace, mark: Mark, cursor: int) -> LogRow:
    """A row for a step of any kind: its sentence."""
    step = trace[mark.number].step
    assert step is not None, "only the first moment has no step"
    usual = "process manager" if step.at_process_manager else "aggregate"
    kinds = {"neutral": usual, "reaction": usual, "accepted": "event", "rejected": "rejected"}
    kind = step.verb if step.verb in LOOKS else "command" if step.begins else kinds.get(step.tone, "rejected")
    cause = "" if isinstance(step, Elapsed) else step.pending.command_type
    return replace(_of_step(step, mark, cursor, kind, step.verb), detail=fact(step), cause=cause)


def _of_step(step: Step, mark: Mark, cursor: int, kind: str, name: str) -> LogRow:
    """What the rows of all steps have: what begins a command is one less deep than what it leads to."""
    return LogRow(
        mark=mark,
        kind=kind,
        name=name,
        stream_id=format_value(step.stream_id or ""),
        detail="",
        outcome="",
        cause="",
        depth=step.depth + (not step.begins),
        moment=step.index,
        is_past=step.index <= cursor,
        correlation=format_value(step.pending.correlation_id),
    )


def _rejection(step: Step) -> str:
    return "" if step.rejected is None else format_value(f"rejected: {step.rejected}", LENGTH)


def _change(change: ProjectionChange, event: RecordedEvent) -> tuple[str, str]:
    """The name and the cause of a change of a projection."""
    verb = "broken" if isinstance(change.after, BrokenProjection) else "changed"
    return f"{verb} by {event.event_type}", f"{event.event_type} #{event.position}"


def _reaction(step: Step) -> tuple[str, str, str]:
    """The name, the cause and the outcome of what a process manager made of a trigger; or of a fault."""
    if isinstance(step, Injected):
        during = "" if step.begins else step.pending.command_type
        return type(step.fault).__name__, during, fact(step)
    trigger, outcome = step.trigger, of_deadlines(step)
    if step.commands:
        outcome = f"sends {', '.join(each.command_type for each in step.commands)}{outcome}"
    if isinstance(trigger, RecordedEvent):
        what, cause = trigger.event_type, f"{trigger.event_type} #{trigger.position}"
    else:
        command = None if trigger is None else trigger.command
        what = cause = f"the rejection of {stored_name(type(command))}"
    name = f"answered {what}" if step.verb == "answered" else f"{step.verb} by {what}"
    return name, cause, plain_sentence(outcome.removeprefix(", "))


def _depth(trace: Trace, moment: int) -> int:
    """How deep what a command led to is below it; what was there before the run began is below nothing."""
    step = trace[moment].step
    return 0 if step is None else step.depth + 1
