"""A message whole: its fields, its ids, what caused it and what it led to. A message is what is selected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from inspect import formatannotation
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.annotations import Unresolved
from calamity_lab.kernel.identity import by_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.recorded import RecordedEvent, of_recorded
from calamity_lab.kernel.schema import fields_in
from calamity_lab.kernel.steps import Conflicted, Elapsed, Failed, Injected, Step
from calamity_lab.model import Model
from calamity_lab.probe.possible import possible
from calamity_lab.text import format_value, length_of_time, plural
from calamity_lab.trace.projections import BrokenProjection
from calamity_lab.trace.replay import submitted_numbers
from calamity_lab.trace.selection import (
    NOTHING,
    Selection,
    dispatch_of,
    is_deadline,
    pending_of,
    selected_events,
    waiting,
)
from calamity_lab.trace.sentences import fact, origin
from calamity_lab.trace.stops import Stops, Target
from calamity_lab.trace.trace import Trace
from calamity_lab.trace.watches import Watch
from calamity_lab.views.agenda import FaultOffer, faults_on, faults_on_event, target_text
from calamity_lab.views.arrows import cause_of, cause_of_pending, effects_of
from calamity_lab.views.chart import Mark, change_of, changes_by, command_mark, event_mark
from calamity_lab.views.counters import LATER, counters, node
from calamity_lab.views.form import first_line
from calamity_lab.views.paths import LENGTH, FieldRow, count_in, state_at, state_fields, unfolded, within
from calamity_lab.views.process_graph import when_due
from calamity_lab.views.selected import Selected, described, selected, times_of

OPEN = 12
"""A value with at most this many values in it is unfolded at first."""
FIRST = 2_000
"""So much of a long text is shown at first."""
MOST = 1_000_000
"""So much of a text is shown at most."""
MOST_LINKS = 40
"""So many links are shown at most."""

_MOST_OPEN = 60
_MOST_EFFECTS = 400
_DEEPEST = 8
_NO_LENGTHS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Section:
    """Values under one heading: fields, ids, metadata, a state. ``cut`` are the paths of texts that go on."""

    name: str
    rows: tuple[FieldRow, ...]
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DetailLink:
    """A message that led here, or that this one led to; ``depth`` counts the links between.

    ``kind`` names its look. ``mark`` is its mark in the lanes, ``moment`` its moment; a command that is
    pending has neither, only its id, a stream its ``stream_id``, and a type its key.
    """

    kind: str
    label: str
    detail: str
    depth: int = 0
    mark: Mark | None = None
    moment: int | None = None
    command_id: str | None = None
    stream_id: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person can do with what is selected: a button that sends a verb with its arguments.

    ``keeps`` is true of an action that changes nothing in the run, as one that explains. ``asks`` is the
    label of a text that a person enters first; it is sent as ``text``.
    """

    verb: str
    label: str
    title: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keeps: bool = False
    asks: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an action found out: a sentence, messages to go to, or a text to copy.

    It stays while one of these messages is selected, so that a person can go along them.
    """

    title: str
    sentence: str = ""
    links: tuple[DetailLink, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """What is selected, whole. ``key`` is "" if nothing is; it changes with what is selected.

    ``events`` are those of a stream or a range; of a type, the latest messages or streams, as ``heading``
    says. ``more_links`` is how many events and effects are left out.
    ``actions`` are what can be done with it, and ``answer`` is what the last of them found out.
    """

    shown: bool = False
    key: str = ""
    kind: str = ""
    title: str = ""
    sentence: str = ""
    sections: tuple[Section, ...] = ()
    causes: tuple[DetailLink, ...] = ()
    effects: tuple[DetailLink, ...] = ()
    events: tuple[DetailLink, ...] = ()
    heading: str = "Events"
    more_links: int = 0
    actions: tuple[Action, ...] = ()
    answer: Answer | None = None

    def rows(self) -> Iterator[tuple[str, str]]:
        """All that is shown as rows of two texts, for a table."""
        for section in self.sections:
            for row in section.rows:
                indent = "\N{NO-BREAK SPACE}" * 2 * row.depth
                yield f"{indent}{row.name or row.path}", row.summary_of_changes or row.value
        for name, links in (
            ("caused by", self.causes),
            ("led to", self.effects),
            (self.heading, self.events),
        ):
            for link in links:
                yield name, f"{link.label} {link.detail}".strip()
        if self.more_links:
            yield "", plural(self.more_links, "more link")


class _Asked(NamedTuple):
    """How a person looks at a message: the paths that were folded or unfolded, and how much of long texts."""

    toggled: Collection[str] = ()
    lengths: Mapping[str, int] = _NO_LENGTHS

    def section(self, name: str, value: Any, before: Any = None) -> Section:
        """The values inside a value under a heading, as compared with the value before."""
        prefix = f"{name} "
        mine = {path.removeprefix(prefix) for path in self.toggled if path.startswith(prefix)}
        # A value that was there before says what changed in it, so it stays folded.
        opened = set(_opened(value)) if before is None else set[str]()
        rows = unfolded(value, value if before is None else before, opened ^ mine)
        cut: list[str] = []
        return Section(name, tuple([self._row(prefix, value, row, cut) for row in rows]), tuple(cut))

    def _row(self, prefix: str, value: Any, row: FieldRow, cut: list[str]) -> FieldRow:
        if row.is_open or row.gone or len(row.value) < LENGTH:
            return row
        length = self.lengths.get(prefix + row.path, FIRST)
        text = format_value(state_at(value, row.path), min(length, MOST))
        if len(text) == length and text.endswith("…"):
            cut.append(row.path)
        return replace(row, value=text, whole=None)


def details(
    trace: Trace,
    selection: Selection,
    *,
    chosen: Selected | None = None,
    shown: bool = True,
    toggled: Collection[str] = (),
    lengths: Iterable[tuple[str, int]] = (),
) -> Details:
    """What is selected on the current branch, whole; nothing is worked out unless it is shown.

    ``chosen`` is the same in brief, where it is known.
    """
    if not shown:
        return Details()
    chosen, asked = chosen or selected(trace, selection), _Asked(toggled, dict(lengths))
    if not chosen.kind:
        return Details(shown=True)
    if chosen.type:
        return _type(trace, chosen, asked)
    pending = pending_of(trace, selection)
    if chosen.kind in ("command", "deadline") and pending is not None:
        return _pending(trace, pending, chosen, asked)
    if chosen.kind == "event" and chosen.mark is not None:
        return _event(trace, trace.index.events[chosen.mark.number - 1], chosen, asked)
    if chosen.kind == "change" and chosen.mark is not None:
        return _change(trace, chosen.mark, chosen, asked)
    if chosen.kind == "step" and chosen.moment is not None:
        step = trace[chosen.moment].step
        return Details(shown=True) if step is None else _step(trace, step, chosen, asked)
    return _several(trace, selection, chosen)


def actions_on(trace: Trace, selection: Selection) -> Iterator[Action]:
    """What can be done with what is selected: the buttons above it."""
    if selection.until is None and selection.type is None and selection != NOTHING:
        yield Action("why", "Why?", "What caused this, up to the submitted command", keeps=True)
    yield from _why_not(trace, selection)
    pending = pending_of(trace, selection)
    if pending is not None and is_deadline(trace, selection, pending):
        yield Action("wait", "Wait until this", "Let time pass until it is due", _which(pending))
    elif pending is not None and selection.deadline is None:
        yield from _on_pending(pending)
    elif selection.moment is not None and 0 < selection.moment <= trace.last:
        step = trace[selection.moment].step
        pending = None if step is None or step.trigger is not None else step.pending
    if pending is not None:
        yield from _edits(trace, pending)
    yield from stop_actions(trace, selection)
    yield from _lists(trace, selection)
    yield Action(
        "note", "Note…", "Keep a finding with the step that is shown and what is selected", asks="Note"
    )
    yield from (
        Action("inject", each.label, each.title, each.arguments) for each in _faults(trace, selection)
    )
    yield from _copies(trace, selected(trace, selection).moment)


def _lists(trace: Trace, selection: Selection) -> Iterator[Action]:
    """The log of a type of messages."""
    key = selection.type or ""
    kind, _, name = key.partition(":")
    if kind in _LISTED and times_of(trace, key) is not None:
        title = f"The {kind}s of the log that name {name}"
        yield Action("show_in_log", "Show in the log", title, {"only": f"{kind}s", "query": name}, keeps=True)


def _why_not(trace: Trace, selection: Selection) -> Iterator[Action]:
    """Why a command was not sent: of its type, and of a process manager that could send it."""
    kind, _, name = (selection.type or "").partition(":")
    model = trace.branch.model
    if kind == "command" and name in by_name(model.commands):
        yield _why_not_sent(name, "Why not?")
        return
    moment = 0 if selection.command is not None else selection.moment or 0
    step = trace[moment].step if 0 < moment <= trace.last else None
    if selection.stream_id is not None:
        name = selection.stream_id.partition("-")[0]
    elif step is not None and step.at_process_manager and step.subject is not None:
        name = step.subject.category
    if name not in by_name(model.process_managers):
        return
    found = possible(model)
    commands = dict.fromkeys(
        sent for sender, sent in (*found.sends, *found.answers, *found.later) if sender == name
    )
    for command in islice(commands, _MOST_COMMANDS):
        yield _why_not_sent(command, f"Why not {command}?")


_MOST_COMMANDS = 6


def _why_not_sent(command: str, label: str) -> Action:
    title = f"Which process managers could send {command}, and what each waits for"
    return Action("why_not", label, title, {"name": command}, keeps=True)


def _copies(trace: Trace, moment: int | None) -> Iterator[Action]:
    """The moment of what is selected as code."""
    if moment is None or not 0 <= moment <= trace.last:
        return
    at, step = {"moment": moment}, trace[moment].step
    if step is not None and not step.is_injected and not isinstance(step, Elapsed):
        title = "A test in pytest: what happened before, this, and what it led to"
        yield Action("copy_test", "Copy as test", title, at, keeps=True)
    title = "A cell that makes the same lab and goes to this moment"
    yield Action("copy_cell", "Copy as cell", title, at, keeps=True)


def _faults(trace: Trace, selection: Selection) -> Iterator[FaultOffer]:
    """The faults that concern a pending command or an event."""
    pending = pending_of(trace, selection)
    if pending is not None:
        if selection.deadline is None and not is_deadline(trace, selection, pending):
            yield from faults_on(pending)
    elif selection.position is not None and selection.until is None and selection.stream_id is None:
        for event in islice(selected_events(trace, selection), 1):
            yield from faults_on_event(event)


def stop_actions(trace: Trace, selection: Selection) -> Iterator[Action]:
    """The breakpoints that can be set on what is selected: on its type, and on its stream."""
    pending, stream_id, moment = pending_of(trace, selection), selection.stream_id, selection.moment
    if selection.type is not None:
        kind, _, name = selection.type.partition(":")
        known = times_of(trace, selection.type) is not None
        if known and kind in _EACH:
            yield break_action(kind, name, f"Break here: {_EACH[kind]} {name}")
    elif pending is not None:
        yield break_action("command", pending.command_type, f"Break here: every {pending.command_type}")
        stream_id = target_text(pending)
    elif stream_id is None and selection.position is not None and selection.until is None:
        for event in selected_events(trace, selection):
            yield break_action("event", event.event_type, f"Break here: every {event.event_type}")
            stream_id = event.stream_id
    elif moment is not None and 0 < moment <= trace.last:
        step = trace[moment].step
        if step is not None and not step.is_injected and not isinstance(step, Elapsed):
            is_command = step.trigger is None
            name = step.pending.command_type if is_command else str(step.subject and step.subject.category)
            kind = "command" if is_command else "process manager"
            yield break_action(kind, name, f"Break here: {_EACH[kind]} {name}")
            if step.rejected is not None:
                yield break_action("rejection", "", "Break on every rejection")
            stream_id = step.stream_id
    yield from _deadline_stops(trace, selection)
    if stream_id is not None and trace.index.known_since(stream_id) is not None:
        yield break_action("stream", stream_id, f"Break on {format_value(stream_id, 60)}")


_EACH: Mapping[str, str] = {
    "command": "every",
    "event": "every",
    "aggregate": "every command to",
    "process manager": "every reaction of",
}


def with_removals(actions: Iterable[Action], stops: Stops) -> Iterator[Action]:
    """The actions, with one that removes a breakpoint instead of one that sets it where it is set already."""
    for action in actions:
        given = {"field": "", **action.arguments}
        same = [
            point
            for point in stops.breakpoints
            if action.verb == "break_on" and point.is_on and point.target._asdict() == given
        ]
        if not any(point.is_plain for point in same):
            yield action
        for point in same:
            label, title = f"Remove the {format_value(str(point), 100)}", "Moves do not stop there any more"
            yield Action("remove_stop", label, title, {"key": point.key})


def _deadline_stops(trace: Trace, selection: Selection) -> Iterator[Action]:
    """The breakpoint for a deadline that is selected, a step that set one, or time that passed."""
    pending, moment = pending_of(trace, selection), selection.moment
    is_step = pending is None and moment is not None and 0 < moment <= trace.last
    step = trace[moment or 0].step if is_step else None
    is_set = (pending is not None and pending.deadline) or (step is not None and step.deadlines)
    if is_set or isinstance(step, Elapsed):
        yield break_action("deadline", "", "Break on deadlines")


def break_action(kind: str, name: str, label: str) -> Action:
    """The action that sets a breakpoint; the kinds are those of `calamity_lab.trace.stops.Target`."""
    titles = {
        "command": f"Stop every move where {name} is dispatched",
        "event": f"Stop every move where {name} is recorded",
        "aggregate": f"Stop every move at a command to {name}",
        "process manager": f"Stop every move where {name} reacts",
        "rejection": "Stop every move where a command is rejected",
        "conflict": "Stop every move where another writer came first",
        "deadline": "Stop every move where time passes until a deadline",
    }
    title = titles.get(kind, f"Stop every move at a command to {name}, or where it changes")
    return Action("break_on", label, title, {"kind": kind, "name": name})


def _on_pending(pending: Pending) -> Iterator[Action]:
    yield Action("choose", "Run next", "Move this command to the front", _which(pending))
    yield Action("drop", "Drop", "Take this command off the agenda", _which(pending))


def _which(pending: Pending) -> dict[str, str]:
    return {"which": pending.command_id}


def _edits(trace: Trace, pending: Pending) -> Iterator[Action]:
    """What a replay can do about a command that was submitted."""
    numbers, which, name = submitted_numbers(trace), _which(pending), pending.command_type
    number, commands = numbers.get(pending.command_id), trace.branch.model.commands
    if number is None:
        return
    again = "decide everything again on a new branch"
    yield Action("leave_out", "Leave out", f"Leave {name} out, and {again}", which)
    if type(pending.command) in commands:
        yield Action("change", "Change…", f"Give other values to {name}, and {again}", which)
    if commands:
        yield Action("insert", "Insert before…", f"Send another command before {name}, and {again}", which)
    if number > 0:
        yield Action(
            "move", "Move earlier", f"Send {name} one command earlier, and {again}", {**which, "by": -1}
        )
    if number < len(numbers) - 1:
        yield Action("move", "Move later", f"Send {name} one command later, and {again}", {**which, "by": 1})


def _event(trace: Trace, event: RecordedEvent, chosen: Selected, asked: _Asked) -> Details:
    moment = chosen.moment or 0
    step = trace[moment].step
    known = {
        "event type": event.event_type,
        "stream": event.stream_id,
        "version": event.stream_version,
        "position": event.position,
        "recorded at": time_text(event.recorded_at),
        "step": moment if moment else "before the run began",
        "event id": event.event_id,
        "command": event.metadata.get("command"),
        "sent by": event.metadata.get("process_manager"),
        "command id": event.causation_id,
        "correlation id": event.correlation_id,
    }
    sections = (
        asked.section("fields", event.event),
        asked.section("about", _known(known)),
        *_metadata(asked, of_recorded(event.metadata)),
    )
    sentence = fact(step) if step is not None else f"event of {event.stream_id}"
    return _linked(trace, event_mark(trace, event), "event", chosen, sentence, sections)


def _change(trace: Trace, mark: Mark, chosen: Selected, asked: _Asked) -> Details:
    """What an event changed in a projection."""
    change = change_of(trace, mark)
    assert change is not None, "the mark was read off the trace"
    after = change.after
    if isinstance(after, BrokenProjection):
        sections = [asked.section("error", {"error": after.problem})]
    else:
        sections = [asked.section("state", after, change.before)]
    known = {"projection": change.identity.stream_id, "version": change.version, "step": change.moment}
    sections.append(asked.section("about", known))
    return _linked(trace, mark, "projection", chosen, described(trace, mark), sections)


def _step(trace: Trace, step: Step, chosen: Selected, asked: _Asked) -> Details:
    mark = chosen.mark or Mark("step", step.index)
    sections = [*_of_step(step, asked)]
    if not isinstance(step, Elapsed):
        sections += _of_command(trace, step.pending, step, asked)
    return _linked(trace, mark, kind_of(step), chosen, fact(step), sections)


def _of_step(step: Step, asked: _Asked) -> Iterator[Section]:
    """What only this step knows: a rejection, a conflict, an error, or what a process manager made of it."""
    if step.rejected is not None:
        yield asked.section("rejection", {"reason": step.rejected.reason, **step.rejected.details})
    if isinstance(step, Conflicted):
        expected = getattr(step.expected, "value", step.expected)
        found = {"expected version": expected, "actual version": step.actual, "attempt": step.attempt}
        yield asked.section("conflict", found)
    if isinstance(step, Injected) and not step.begins:
        yield asked.section("fault", step.fault)
    if isinstance(step, Failed):
        error = step.failure.error
        yield asked.section("error", {"kind": type(error).__name__, "error": str(error)})
    yield from _of_time(step, asked)
    trigger = step.trigger
    if trigger is None:
        return
    if isinstance(trigger, Rejected):
        yield asked.section("rejection", {"reason": trigger.reason, **trigger.details})
    else:
        yield asked.section("event", trigger.event)
    state = step.before if step.after is None else step.after
    if state is not None:
        yield asked.section("state", state, step.before)


def _of_time(step: Step, asked: _Asked) -> Iterator[Section]:
    """The time that passed, and the deadlines that the step set and took off."""
    if isinstance(step, Elapsed):
        length = length_of_time(step.now - step.since)
        known = {"passed": length, "from": time_text(step.since), "to": time_text(step.now)}
        yield asked.section("time", known)
    changes = {"sets": step.deadlines, "takes off": step.taken_off}
    for name, deadlines in changes.items():
        if deadlines:
            yield asked.section(name, {str(each.deadline): _due(each) for each in deadlines})


def _of_command(trace: Trace, pending: Pending, step: Step | None, asked: _Asked) -> Iterator[Section]:
    decided = None if step is None else trace[trace.command_end(step.index)].decision
    ended = trace.index.ended.get(pending.command_id)
    is_about_command = step is None or (step.trigger is None and (step.begins or not step.is_injected))
    yield asked.section("fields" if is_about_command else "command", pending.command)
    known = {
        "command type": pending.command_type,
        "to": target_text(pending),
        "origin": origin(pending),
        "deadline": pending.deadline,
        "due at": None if pending.due_at is None else _due(pending),
        "step": ("pending" if ended is None or ended.how == "set" else None) if step is None else step.index,
        "outcome": None if decided is None else fact(decided),
        "command id": pending.command_id,
        "causation id": pending.causation_id,
        "correlation id": pending.correlation_id,
        "depth": pending.depth,
    }
    yield asked.section("about", _known(known))
    yield from _metadata(asked, pending.metadata)


def _pending(trace: Trace, pending: Pending, chosen: Selected, asked: _Asked) -> Details:
    """A command that is pending, or a deadline: what sent or set it, and the command that came of it."""
    cause, start = cause_of_pending(trace, pending, trace.last), dispatch_of(trace, pending)
    met = None if start is None else command_mark(trace, start)
    return replace(
        _base(chosen.kind, chosen, chosen.detail, _of_command(trace, pending, None, asked)),
        causes=() if cause is None else (link(trace, cause),),
        effects=() if met is None else (link(trace, met),),
    )


def _linked(
    trace: Trace, mark: Mark, kind: str, chosen: Selected, sentence: str, sections: Iterable[Section]
) -> Details:
    cause = cause_of(trace, mark)
    effects = list(_effects(trace, mark))
    return replace(
        _base(kind, chosen, sentence, sections),
        causes=() if cause is None else (link(trace, cause),),
        effects=tuple(effects[:MOST_LINKS]),
        more_links=max(len(effects) - MOST_LINKS, 0),
    )


def _base(kind: str, chosen: Selected, sentence: str, sections: Iterable[Section]) -> Details:
    # No moment is selected in two ways: by its own mark, and by that of its command.
    key = f"{chosen.mark or ''} {chosen.moment} {chosen.command}"
    return Details(True, key, kind, chosen.title, format_value(sentence, LENGTH), tuple(sections))


def _several(trace: Trace, selection: Selection, chosen: Selected) -> Details:
    """A stream or a range of events: the first events of it."""
    found = list(islice(selected_events(trace, selection), _MOST_EFFECTS))
    return Details(
        shown=True,
        key=f"{chosen.kind} {chosen.title} {chosen.first} {chosen.last}",
        title=chosen.title,
        sentence=chosen.detail,
        events=tuple(link(trace, event_mark(trace, event)) for event in found[:MOST_LINKS]),
        more_links=max(len(found) - MOST_LINKS, 0),
    )


def _effects(trace: Trace, mark: Mark) -> Iterator[DetailLink]:
    """What a mark led to, each effect before what that one led to; and the commands that still wait."""
    if mark.kind == "event":
        yield from (link(trace, each) for each in changes_by(trace, mark.number))
    for effect, depth in effects_of(trace, mark, _MOST_EFFECTS):
        yield replace(link(trace, effect), depth=depth)
    step = trace[mark.number].step if mark.kind == "step" else None
    sent = (*step.commands, *step.deadlines) if step is not None else ()
    there = {pending.command_id for pending in waiting(trace[trace.last].run)} if sent else set()
    for pending in sent:
        if pending.command_id in there:
            detail = "pending" if pending.due_at is None else f"due at {_due(pending)}"
            yield DetailLink("command", pending.command_type, detail, command_id=pending.command_id)
        elif isinstance(step, Elapsed) and (start := dispatch_of(trace, pending)) is not None:
            met = command_mark(trace, start)
            assert met is not None, "a command that was due is dispatched in the trace"
            yield link(trace, met)


def link(trace: Trace, mark: Mark) -> DetailLink:
    """A link to the message of a mark."""
    if mark.kind == "event":
        event, moment = trace.index.events[mark.number - 1], trace.index.event_moments[mark.number - 1]
        label = f"{event.event_type} #{event.position}"
        return DetailLink("event", label, format_value(event.stream_id, LENGTH), 0, mark, moment)
    if mark.kind == "deadline":
        moment, pending = trace.index.deadlines[mark.number - 1]
        label, instance = (format_value(each, LENGTH) for each in (pending.deadline, str(pending.sender)))
        return DetailLink("deadline", label, instance, 0, mark, moment)
    change = change_of(trace, mark)
    if change is not None:
        name = format_value(change.identity.stream_id, LENGTH)
        return DetailLink("projection", name, "changed", 0, mark, change.moment)
    step = trace[mark.number].step
    assert step is not None, "a mark is that of a step"
    stream_id = format_value(step.stream_id, LENGTH)
    kind = kind_of(step)
    if step.trigger is not None:
        return DetailLink(kind, stream_id, step.verb, 0, mark, step.index)
    if isinstance(step, Injected):
        return DetailLink(kind, type(step.fault).__name__, fact(step), 0, mark, step.index)
    detail = f"rejected: {format_value(step.reason, LENGTH)}" if step.reason is not None else stream_id
    return DetailLink(kind, step.pending.command_type, detail, 0, mark, step.index)


def kind_of(step: Step) -> str:
    """The kind of a step: of a rejection, of a reaction, of a fault, else of a command."""
    if step.rejected is not None or isinstance(step, Failed):
        return "rejected"
    is_command = step.trigger is None and not step.is_injected and not isinstance(step, Elapsed)
    return "command" if is_command else step.verb


def _due(deadline: Pending) -> str:
    assert deadline.due_at is not None, "a deadline has a time"
    return time_text(deadline.due_at)


def time_text(time: datetime) -> str:
    """A time with its date and its zone."""
    if time.utcoffset() == timedelta(0):
        return f"{time.replace(tzinfo=None).isoformat(sep=' ')} UTC"
    return time.isoformat(sep=" ")


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _metadata(asked: _Asked, metadata: Mapping[str, Any]) -> Iterator[Section]:
    if metadata:
        yield asked.section("metadata", dict(metadata))


def _opened(value: Any) -> Iterator[str]:
    """The paths of the values that are unfolded at first: small ones, and not too many."""
    waiting: list[tuple[str, Any, int]] = [(name, item, 0) for name, item in state_fields(value).items()]
    opened = 0
    while waiting and opened < _MOST_OPEN:
        path, item, depth = waiting.pop(0)
        if not 0 < count_in(item) <= OPEN or depth >= _DEEPEST:
            continue
        opened += 1
        yield path
        waiting += [(child.path, child.value, depth + 1) for child in within(item, path)]


# A type of the model.

_LATEST = Slot[tuple[DetailLink, ...]](most=16)
_MOST_LOOKED_AT = 20_000
"""Among so many events or commands the latest of a type are looked for."""
_LISTED: Mapping[str, str] = {"command": "Latest commands", "event": "Latest events"}


def _type(trace: Trace, chosen: Selected, asked: _Asked) -> Details:
    kind, _, name = chosen.type.partition(":")
    model = trace.branch.model
    cls = by_name(model.by_kind.get(kind, ())).get(name)
    times = times_of(trace, chosen.type) or 0
    found = trace.memo.once(
        _LATEST, lambda: tuple(_latest(trace, kind, name, times)), trace[trace.last].step, key=chosen.type
    )
    sections = [asked.section("fields", _annotations(cls, model))] if cls is not None else []
    sections.append(asked.section("in the model", _flow(trace, model, kind, name)))
    doc = "" if cls is None else first_line(cls)
    return replace(
        _base(kind, chosen, f"{chosen.detail}. {doc}" if doc else chosen.detail, sections),
        key=chosen.type,
        sections=tuple(section for section in sections if section.rows),
        events=found[:MOST_LINKS],
        heading=_LISTED.get(kind, "Instances, the newest first"),
        more_links=max(times if kind in _LISTED else len(found), len(found)) - len(found[:MOST_LINKS]),
    )


def _latest(trace: Trace, kind: str, name: str, times: int) -> Iterator[DetailLink]:
    """The latest messages of a type, or the newest streams."""
    index = trace.index
    if kind == "event":
        numbers = range(len(index.events), max(len(index.events) - _MOST_LOOKED_AT, 0), -1)
        found = (link(trace, Mark("event", n)) for n in numbers if index.events[n - 1].event_type == name)
        yield from islice(found, min(times, MOST_LINKS))
    elif kind == "command":
        moments = islice(index.dispatched.backwards(), _MOST_LOOKED_AT)
        yield from islice(_dispatched(trace, moments, name), min(times, MOST_LINKS))
    else:
        for lane in index.lanes.backwards():
            if lane.kind == kind and lane.identity.category == name:
                stream_id, since = lane.identity.stream_id, f"first seen at step {lane.since:,}"
                yield DetailLink(kind, format_value(stream_id, LENGTH), since, stream_id=stream_id)


def _dispatched(trace: Trace, moments: Iterable[int], name: str) -> Iterator[DetailLink]:
    for at in moments:
        step = trace[at].step
        if step is None or step.pending.command_type != name:
            continue
        decision = trace[trace.command_end(at)].decision
        rejected = decision is not None and decision.rejected is not None
        found = link(trace, Mark("step", decision.index if decision is not None and rejected else at))
        yield replace(found, label=f"{found.label} at step {at:,}", mark=Mark("step", at), moment=at)


def _annotations(cls: type, model: Model) -> dict[str, Any]:
    """The fields of a class, each with its type as it is written."""
    fields = fields_in(cls, {known.__name__: known for known in model})
    return {
        each.name: each.annotation.text
        if isinstance(each.annotation, Unresolved)
        else formatannotation(each.annotation)
        for each in fields
    }


def _flow(trace: Trace, model: Model, kind: str, name: str) -> dict[str, str]:
    """What a type of the model may do to the others."""
    found, delays = possible(model), counters(trace, trace.last).delays
    edges = [(node("process manager", a), node("command", b), LATER) for a, b in found.later]
    later = [
        (*pair, when_due(model, edge, delays.get(edge)))
        for pair, edge in zip(found.later, edges, strict=True)
    ]

    def of(pairs: Iterable[tuple[str, ...]], at: int, give: int) -> list[str]:
        return [
            f"{pair[give]} ({pair[2]})" if len(pair) > 2 else pair[give] for pair in pairs if pair[at] == name
        ]

    pairs: Mapping[str, Mapping[str, list[str]]] = {
        "command": {
            "goes to": of(found.targets, 0, 1),
            "leads to": of(found.leads, 0, 1),
            "sent by": of(found.sends, 1, 0),
            "sent after a rejection by": of(found.answers, 1, 0),
            "set for later by": of(later, 1, 0),
        },
        "event": {"recorded by": of(found.decides, 1, 0), "wakes": of(found.reactions, 0, 1)},
        "aggregate": {"carries out": of(found.targets, 1, 0), "records": of(found.decides, 0, 1)},
        "process manager": {
            "reacts to": of(found.reactions, 1, 0),
            "sends": of(found.sends, 0, 1),
            "sends after a rejection": of(found.answers, 0, 1),
            "sets for later": of(later, 0, 1),
        },
    }
    return {label: ", ".join(names) for label, names in pairs.get(kind, {}).items() if names}


# Breakpoints and watches in one list.


@dataclass(frozen=True, slots=True)
class StopRow:
    """A breakpoint, a watch or an invariant; ``key`` names it.

    ``value`` is how often the breakpoint has stopped a move, if it has, or the value of the watch.
    ``target`` is the key of what a breakpoint marks in the views: a type, as in ``"event:FundsWithdrawn"``,
    or a stream, as in ``"stream:BankAccount-bob"``; "" for a rejection or a function.
    """

    key: str
    kind: Literal["breakpoint", "watch", "invariant"]
    name: str
    value: str
    is_on: bool
    is_broken: bool
    target: str = ""


@dataclass(frozen=True, slots=True)
class StopsView:
    """The breakpoints, watches and invariants, and what a breakpoint can be set on.

    ``offers`` are breakpoints on what is selected, ``choices`` those on the classes of the model by kind.
    """

    rows: tuple[StopRow, ...]
    offers: tuple[Action, ...]
    choices: tuple[Action, ...]


def stops_view(stops: Stops, trace: Trace, cursor: int, selection: Selection | None) -> StopsView:
    """The breakpoints and the watches with their values at the cursor; without a selection, no offers."""
    rows = [_watch_row(watch, trace, cursor) for watch in stops.watches.values()]
    rows += [
        StopRow(
            each.key,
            "breakpoint",
            format_value(str(each).removeprefix("breakpoint on "), _STOP_LENGTH),
            format_value(each.problem and f"broken: {each.problem}", _STOP_LENGTH)
            or (f"stopped {plural(each.stopped, 'time')}" if each.stopped else ""),
            each.is_on,
            bool(each.problem),
            _marked(each.target),
        )
        for each in stops.breakpoints
    ]
    if selection is None:
        return StopsView(tuple(rows), (), ())
    offers = with_removals(stop_actions(trace, selection), stops)
    return StopsView(tuple(rows), tuple(offers), _choices(trace.branch.model))


def _marked(target: Target) -> str:
    kind = "stream" if target.kind == "field" else target.kind
    return f"{kind}:{target.name}" if kind in (*_EACH, "stream") else ""


_STOP_LENGTH = 200


def _watch_row(watch: Watch, trace: Trace, cursor: int) -> StopRow:
    value = watch.at(trace, cursor) if watch.is_on else None
    return StopRow(
        f"watch {watch.name}",
        "invariant" if watch.must_hold else "watch",
        format_value(watch.name),
        "off" if value is None else format_value(str(value), _STOP_LENGTH),
        watch.is_on,
        value is not None and bool(value.problem or value.fails),
    )


def _choices(model: Model) -> tuple[Action, ...]:
    named = [break_action(kind, name, name) for kind in _EACH for name in by_name(model.by_kind[kind])]
    words = [
        break_action("rejection", "", "Every rejection"),
        break_action("conflict", "", "Every conflict of versions"),
        break_action("deadline", "", "Every deadline"),
    ]
    return (*named, *words)


__all__ = ["Action", "Answer", "DetailLink", "Details", "FieldRow", "Section", "actions_on", "details"]
