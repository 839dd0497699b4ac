"""The sequence diagram of a cascade: who sent what to whom, in order, with the moment of each message."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple, overload

from calamity_lab.errors import CalamityError, InvalidValue, Rejected, repr_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.protocols import AllStreams
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import (
    AtProcessManager,
    CaughtUp,
    Completed,
    Conflicted,
    Dispatched,
    Elapsed,
    Executed,
    Injected,
    Populated,
    Refused,
    Step,
)
from calamity_lab.probe.preview import target_of
from calamity_lab.text import format_fields, format_value, length_of_time, plain_sentence, plural
from calamity_lab.trace.sentences import caught_up_with, changes_of_deadlines, fact, origin
from calamity_lab.trace.trace import Trace
from calamity_lab.views.controls import bounded, followed
from calamity_lab.views.looks import REACTIONS

Correlation = str | AllStreams | None
"""Which cascade: the one at the cursor (None), the one with a correlation id, or the whole run (ALL)."""

_MOST_PENDING = 64

_LINES = Slot[tuple["SequenceLine", ...]](most=512)
_MESSAGES = Slot["Message"](most=4_096)


class Cascade(NamedTuple):
    """The commands of a cascade: the moments of dispatch, and those still pending at the end of the trace.

    ``correlation`` is the id that they share, ``""`` for those of a whole run. ``begun``: the first was
    dispatched before the trace began, and was in progress then. What was waited after its last command
    belongs to it up to the moment ``until``: as long as one of its deadlines is set.
    """

    correlation: str
    dispatched: Sequence[int]
    pending: tuple[Pending, ...]
    begun: bool
    until: int

    def __len__(self) -> int:
        return self.begun + len(self.dispatched) + len(self.pending)

    @property
    def happened(self) -> int:
        """How many of its commands were dispatched."""
        return self.begun + len(self.dispatched)

    def start(self, place: int) -> int:
        """The moment at which the command with that index was dispatched; 0 if it was in progress."""
        return 0 if place < self.begun else self.dispatched[place - self.begun]

    def place(self, moment: int) -> int:
        """The index of the latest command that was dispatched by a moment."""
        return max(self.begun + bisect_right(self.dispatched, moment) - 1, 0)

    def waits_before(self, trace: Trace, place: int) -> Sequence[int]:
        """The moments at which time passed between the command with an index and the one before.

        What was waited before a cascade is no part of it.
        """
        if place > self.happened or not (place or not self.correlation):
            return ()
        elapsed = trace.index.elapsed
        first = bisect_right(elapsed, self.start(place - 1)) if place else 0
        before = self.start(place) if place < self.happened else self.until + 1
        return elapsed[first : bisect_left(elapsed, before)]


class _Commands(Sequence[int]):
    """The moments at which commands were dispatched: those of a trace without those at which time passed."""

    def __init__(self, dispatched: Sequence[int], elapsed: Sequence[int]) -> None:
        self._dispatched, self._elapsed = dispatched, elapsed

    def __len__(self) -> int:
        return len(self._dispatched) - len(self._elapsed)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        waits, moments = self._elapsed, self._dispatched
        before = bisect_left(
            range(len(waits)), True, key=lambda number: waits[number] > moments[index + number]
        )
        return moments[index + before]


def cascade_of(trace: Trace, cursor: int, correlation: Correlation) -> Cascade:
    """The cascade asked for."""
    progress = trace[0].run.progress
    first = None if progress is None else progress.pending
    frontier = trace[trace.last].agenda
    if isinstance(correlation, AllStreams):
        pending = tuple(islice(frontier.entries(), _MOST_PENDING))
        commands = _Commands(trace.index.dispatched, trace.index.elapsed)
        return Cascade("", commands, pending, first is not None, trace.last)
    wanted = _correlation_at(trace, cursor) if correlation is None else correlation
    begun = first is not None and first.correlation_id == wanted
    # Caused commands are at the front of the agenda, so only the front is searched.
    waiting = islice(frontier.entries(), _MOST_PENDING)
    pending = tuple([entry for entry in waiting if entry.correlation_id == wanted])
    deadlines = islice(trace[trace.last].stack.deadlines, _MOST_PENDING)
    is_set = bool(pending) or any(each.correlation_id == wanted for each in deadlines)
    is_due = correlation is None and isinstance(trace[cursor].step, Elapsed)
    until = trace.last if is_set else cursor if is_due else 0
    found = Cascade(wanted, trace.index.cascades.get(wanted, ()), pending, begun, until)
    if correlation is not None and not len(found):
        raise InvalidValue(
            f"no command of this trace has the correlation id {repr_of(correlation)}; an event's is its "
            "correlation_id, as in lab.events[0].correlation_id, and None is the one of the moment"
        )
    return found


def _correlation_at(trace: Trace, cursor: int) -> str:
    """The correlation id of the command at the cursor, or of the first deadline that is due there.

    Before the first command it is that of the next one.
    """
    moment = trace[cursor]
    if isinstance(moment.step, Elapsed) and moment.step.commands:
        return moment.step.commands[0].correlation_id
    if moment.step is not None:
        return moment.step.pending.correlation_id
    if moment.run.progress is not None:
        return moment.run.progress.pending.correlation_id
    following = trace[1].step if trace.last else None
    if following is not None:
        return following.pending.correlation_id
    waiting = next(moment.agenda.entries(), None)
    return "" if waiting is None else waiting.correlation_id


Role = Literal["user", "aggregate", "event store", "process manager"]
Who = tuple[Role, str]

STORE: Who = ("event store", "Event store")
TIME_PASSED = "time passed"
AT_PROCESS_MANAGER = (*REACTIONS, "caught up")
"""The kinds of messages that say what a process manager does: it may set deadlines there."""

_MOST_EVENTS = 8
_MOST_REACTIONS = 24
_MOST_WAITS = 4
_LABEL, _NOTE, _DETAIL = 80, 160, 300


class SequenceLine(NamedTuple):
    """A line of the diagram.

    ``kind`` is command, pending (a command not dispatched yet), decided (events that are not recorded),
    event (recorded), caught up, rejected, conflict, injected, started, continued, stopped, ignored, time
    passed (between all participants), or more.
    ``block`` is the moment at which its command was dispatched, ``since`` the one from which on it holds,
    ``moment`` the one to go to.
    """

    key: str
    kind: str
    source: Who
    target: Who
    label: str
    detail: str
    note: str
    block: int
    since: int | None
    moment: int | None


def of_pending(pending: Pending) -> Iterator[SequenceLine]:
    """The line of a pending command."""
    sender, note = _sender(pending), ""
    try:
        target: Who = ("aggregate", target_of(pending.command).stream_id)
    except CalamityError as error:
        target, note = sender, plain_sentence(str(error), _NOTE)
    detail = plain_sentence(f"{_described(pending)}, on the agenda", _DETAIL)
    label = format_value(pending.command_type, _LABEL)
    yield SequenceLine(
        f"pending {pending.command_id}", "pending", sender, target, label, detail, note, -1, None, None
    )


def of_command(trace: Trace, start: int, cursor: int) -> Iterator[SequenceLine]:
    """The lines of a command, from its dispatch to the next one's."""
    end = trace.command_end(start)
    yield _dispatched(trace, start)
    for at in range(start + 1, end + 1):
        step = trace[at].step
        if step is not None and _is_recorded(step):
            yield from _recorded(step, start, cursor)
            return (yield from _reactions(trace, start, at + 1, end, cursor))
        if isinstance(step, AtProcessManager):
            return (yield from _reactions(trace, start, at, end, cursor))
        following = trace[at + 1].step if at < end else None
        if step is not None and (following is None or not _is_recorded(following)):
            yield from _tried(step, start)


def _is_recorded(step: Step) -> bool:
    """Whether the step recorded what its command had decided."""
    return bool(step.recorded) and not step.is_injected


def _dispatched(trace: Trace, start: int) -> SequenceLine:
    moment = trace[start]
    if isinstance(moment.step, Injected):
        return _injected(moment.step, start)
    if isinstance(moment.step, Elapsed):
        return _waited(moment.step, moment.step)
    if moment.step is not None:
        pending = moment.step.pending
    else:
        assert moment.run.progress is not None, "what was not dispatched in this trace is in progress"
        pending = moment.run.progress.pending
    target = moment.step.subject if moment.step is not None else None
    target = target_of(pending.command) if target is None else target
    return SequenceLine(
        f"{start}", "command", _sender(pending), _aggregate(target),
        format_value(pending.command_type, _LABEL), _described(pending), "", start, start, start,
    )  # fmt: skip


def _recorded(step: Step, start: int, cursor: int) -> Iterator[SequenceLine]:
    """The lines of recorded events; from the decision to the append the aggregate has them alone."""
    at, aggregate = step.index, _subject(step)
    decided = max(at - 1, start + 1)
    kind, to = ("decided", aggregate) if decided <= cursor < at else ("event", STORE)
    for n, event in enumerate(step.recorded[:_MOST_EVENTS]):
        yield SequenceLine(
            f"{at}.{n}", kind, aggregate, to, format_value(event.event_type, _LABEL), _event(event), "",
            start, decided, at,
        )  # fmt: skip
    left = len(step.recorded) - _MOST_EVENTS
    if left > 0:
        yield _more(f"{at}.more", aggregate, to, f"and {plural(left, 'more event')}", start, decided, at)


def _tried(step: Step, start: int) -> Iterator[SequenceLine]:
    """A line for a step at which nothing was recorded."""
    at, detail = step.index, format_value(fact(step), _DETAIL)
    who = _subject(step)
    match step:
        case Dispatched() | Completed() | Populated(count=0) | CaughtUp(count=0, rejections=0):
            return
        case Populated() | CaughtUp():
            label = f"caught up with {caught_up_with(step)}"
            note = format_value(changes_of_deadlines(step), _NOTE)
            yield SequenceLine(f"{at}", "caught up", STORE, who, label, detail, note, start, at, at)
        case Executed():
            names = ", ".join(step.event_types[:_MOST_EVENTS])
            label = format_value(names or "no event", _LABEL)
            yield SequenceLine(f"{at}", "decided", who, who, label, detail, "", start, at, at)
        case Refused(rejected=rejected):
            sender = _sender(step.pending)
            label = format_value(f"{step.pending.command_type} rejected", _LABEL)
            yield SequenceLine(
                f"{at}",
                "rejected",
                who,
                sender,
                label,
                detail,
                plain_sentence(str(rejected), _NOTE),
                start,
                at,
                at,
            )
        case Conflicted(expected=expected, actual=actual):
            wanted = getattr(expected, "value", f"version {expected}")
            note = f"expected {wanted}, found version {actual}"
            yield SequenceLine(f"{at}", "conflict", STORE, who, "conflict", detail, note, start, at, at)
        case Injected():
            yield _injected(step, start)
        case _:
            label = format_value(step.verb, _LABEL)
            yield SequenceLine(f"{at}", "more", who, who, label, detail, "", start, at, at)


def _time_passed(trace: Trace, moments: Sequence[int]) -> Iterator[SequenceLine]:
    """The lines of time that passed at those moments, one per wait; of many, the first are one line."""
    rest = max(len(moments) - _MOST_WAITS, 0)
    for number in range(rest, len(moments)):
        first, last = (trace[moments[each]].step for each in (0 if number == rest else number, number))
        assert isinstance(first, Elapsed), "time passed at this moment"
        assert isinstance(last, Elapsed), "time passed at this moment"
        yield _waited(first, last, rest + 1 if number == rest else 1)


def _waited(first: Elapsed, last: Elapsed, count: int = 1) -> SequenceLine:
    """The line of time that passed, from the first wait to the last one."""
    at, several = last.index, f"{plural(count, 'wait')}, the last one: " if count > 1 else ""
    detail = format_value(f"{several}{fact(last)}", _DETAIL)
    passed = f"{length_of_time(last.now - first.since)} passed"
    return SequenceLine(f"{at}", TIME_PASSED, STORE, STORE, passed, detail, "", at, at, at)


def _injected(step: Injected, start: int) -> SequenceLine:
    """The line of a fault."""
    who, label = _subject(step), f"{type(step.fault).__name__} injected"
    detail = format_value(fact(step), _DETAIL)
    return SequenceLine(
        f"{step.index}", "injected", who, who, label, detail, "", start, step.index, step.index
    )


def _reactions(trace: Trace, start: int, since: int, end: int, cursor: int) -> Iterator[SequenceLine]:
    """The lines of the reactions of process managers; of many, those around the cursor."""
    count = end - since + 1
    left = followed(min(max(cursor - since + 1, 0), count), count, _MOST_REACTIONS) if count > 0 else 0
    if left:
        yield _more(f"{start}.before", STORE, STORE, plural(left, "earlier step"), start, since, since)
    until = min(since + left + _MOST_REACTIONS, end + 1)
    for moment in trace.branch.moments.iterate(since + left, until):
        step = moment.step
        if isinstance(step, AtProcessManager):
            yield _reaction(step, start)
        elif step is not None:
            yield from _tried(step, start)
    if until <= end - 1:
        yield _more(f"{start}.after", STORE, STORE, plural(end - until, "later step"), start, until, until)


def _reaction(step: AtProcessManager, start: int) -> SequenceLine:
    at, manager, detail = step.index, _manager(step.identity), format_value(fact(step), _DETAIL)
    kind, note = step.verb, format_value(changes_of_deadlines(step), _NOTE)
    if not isinstance(step.trigger, Rejected):
        label = format_value(step.trigger.event_type, _LABEL)
        return SequenceLine(f"{at}", kind, STORE, manager, label, detail, note, start, at, at)
    sent = ", ".join(pending.command_type for pending in step.commands)
    missing = "has ended" if kind == Verb.IGNORED else "sends no command"
    label = format_value(f"answers with {sent}" if sent else missing, _LABEL)
    return SequenceLine(f"{at}", kind, manager, manager, label, detail, note, start, at, at)


def _more(
    key: str, source: Who, target: Who, label: str, block: int, since: int, moment: int
) -> SequenceLine:
    return SequenceLine(key, "more", source, target, label, label, "", block, since, moment)


def _described(pending: Pending) -> str:
    fields = format_fields(pending.command, _DETAIL)
    return plain_sentence(f"{pending.command_type}({fields}), {origin(pending)}", _DETAIL)


def _event(event: RecordedEvent) -> str:
    return plain_sentence(
        f"{event.event_type} #{event.position}: {format_fields(event.event, _DETAIL)}", _DETAIL
    )


def _sender(pending: Pending) -> Who:
    if pending.sender is not None:
        return _manager(pending.sender)
    user = pending.metadata.get("user")
    return ("user", user if isinstance(user, str) and user else "User")


def _subject(step: Step) -> Who:
    """Whom a step concerns; the event store, where it concerns no aggregate or instance."""
    if step.subject is None:
        return STORE
    return _manager(step.subject) if step.at_process_manager else _aggregate(step.subject)


def _aggregate(identity: Identity) -> Who:
    return ("aggregate", identity.stream_id)


def _manager(identity: Identity) -> Who:
    return ("process manager", identity.stream_id)


Tense = Literal["past", "now", "future"]

_GROUPS = ("user", "aggregate", "event store", "process manager")
_NAME = 200


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant: the user, an aggregate, the event store or a process manager."""

    name: str
    category: str
    kind: Role


@dataclass(frozen=True, slots=True)
class Message:
    """A message from one participant to another, or to itself; ``source`` and ``target`` are their columns.

    ``kind`` is as in `SequenceLine`, ``detail`` is the fact as a sentence. ``moment`` is where to go, None
    where nothing has happened yet. ``note`` says why: the reason of a rejection, the versions of a conflict;
    or which deadlines the target set and took off. Time that passed goes from the first to the last column.
    """

    key: str
    kind: str
    source: int
    target: int
    label: str
    detail: str
    note: str
    moment: int | None
    tense: Tense

    @property
    def noted(self) -> int:
        """The column that the note stands beside: that of the process manager, for its reaction."""
        return self.target if self.kind in AT_PROCESS_MANAGER else self.source


@dataclass(frozen=True, slots=True)
class SequenceView:
    """A window on a cascade: of its ``total`` commands those from ``first`` on, and what each led to.

    ``title`` is the command that was submitted; ``correlation`` the id that all share.
    """

    title: str
    correlation: str
    total: int
    first: int
    commands: int
    participants: tuple[Participant, ...]
    messages: tuple[Message, ...]


def sequence(
    trace: Trace,
    cursor: int,
    *,
    correlation: Correlation = None,
    first: int | None = None,
    limit: int = 16,
) -> SequenceView:
    """The cascade of the moment at the cursor, around it or from ``first`` on; ``limit`` counts commands."""
    cascade, limit = cascade_of(trace, cursor, correlation), max(1, limit)
    total = len(cascade)
    first = bounded(first, cascade.place(cursor) + 1, total, limit) if total else 0
    last = min(first + limit, total)
    cast = _Cast()
    end = last + (last == total)
    lines = [each for index in range(first, end) for each in _lines(trace, cursor, cascade, index)]
    now = _now(trace, cursor, lines)
    for each in lines:
        if each.kind != TIME_PASSED or len(lines) == 1:
            cast.enter(each)
    columns = cast.columns()
    return SequenceView(
        title=_title(trace, cascade),
        correlation=format_value(cascade.correlation, _NAME),
        total=total,
        first=first,
        commands=last - first,
        participants=tuple(columns),
        messages=tuple(_message(trace, each, columns, cast, cursor, now) for each in lines),
    )


@dataclass
class _Cast:
    """The participants, in order of appearance."""

    seen: dict[tuple[Role, str], Participant] = field(default_factory=dict)

    def enter(self, line: SequenceLine) -> None:
        for role, who in (line.source, line.target):
            if (role, who) not in self.seen:
                category = Identity.parse(who).category if role in ("aggregate", "process manager") else role
                self.seen[role, who] = Participant(
                    format_value(who, _NAME), format_value(category, _NAME), role
                )

    def columns(self) -> dict[Participant, int]:
        """The column of each: the user on the left, then aggregates, the event store, process managers."""
        ordered = sorted(self.seen.values(), key=lambda each: _GROUPS.index(each.kind))
        return {each: column for column, each in enumerate(ordered)}


def _lines(trace: Trace, cursor: int, cascade: Cascade, index: int) -> Iterator[SequenceLine]:
    """The time that passed before a command, and the lines of the command, if there is one."""
    yield from _time_passed(trace, cascade.waits_before(trace, index))
    if index < cascade.happened:
        yield from _kept_lines(trace, cascade.start(index), cursor)
    elif index < len(cascade):
        yield from of_pending(cascade.pending[index - cascade.happened])


def _kept_lines(trace: Trace, start: int, cursor: int) -> tuple[SequenceLine, ...]:
    """The lines of a command, kept: they are others only while the cursor is in the command."""
    end = trace.command_end(start)
    within = min(max(cursor, start), end)
    return trace.memo.once(
        _LINES, lambda: tuple(of_command(trace, start, within)), trace[start], trace[end], key=within
    )


def _now(trace: Trace, cursor: int, lines: list[SequenceLine]) -> tuple[int, int] | None:
    """The block and moment of the latest line at the cursor, in the command that the cursor is in."""
    block = trace.index.command_start(cursor)
    there = [each.since for each in lines if each.block == block and each.since is not None]
    begun = [since for since in there if since <= cursor]
    return (block, max(begun)) if begun else None


def _message(
    trace: Trace,
    line: SequenceLine,
    columns: dict[Participant, int],
    cast: _Cast,
    cursor: int,
    now: tuple[int, int] | None,
) -> Message:
    if line.since is None or line.since > cursor:
        tense: Tense = "future"
    else:
        tense = "now" if (line.block, line.since) == now else "past"
    ends = (0, len(columns) - 1)
    if line.kind != TIME_PASSED:
        ends = columns[cast.seen[line.source]], columns[cast.seen[line.target]]
    key, kind, *_ = line
    return trace.memo.once(
        _MESSAGES,
        lambda: Message(key, kind, *ends, line.label, line.detail, line.note, line.moment, tense),
        line,
        key=(ends, tense),
    )


def _title(trace: Trace, cascade: Cascade) -> str:
    """The submitted command, or how many commands the whole run has."""
    if not cascade.correlation and trace.last:
        return f"The whole run: {plural(len(cascade), 'command')}"
    if not len(cascade):
        return ""
    if not cascade.happened:
        return _root(cascade.pending[0])
    step, progress = trace[cascade.start(0)].step, trace[0].run.progress
    if isinstance(step, Elapsed):
        return _waited(step, step).label
    if step is not None:
        return _root(step.pending)
    return _root(progress.pending) if progress is not None else ""


def _root(pending: Pending) -> str:
    *_, root = pending.chain()
    return format_value(root.command_type, _NAME)
