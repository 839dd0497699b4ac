"""Compare two branches: where they part, which events and commands both have, where the states differ.

Branches share their moments up to a fork, so the shared moments are found by halving and are not read. After
them, commands are matched as in a replay, by how they came to be, and events by the command that recorded
them: the ids of what a process manager sends may differ. Values are compared by their fields, so two
definitions of a class, as before and after a reload, may be compared too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from calamity_lab.errors import repr_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import a_whole_number, are_equal, is_a
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.schema import fields_of, is_record
from calamity_lab.kernel.steps import Step
from calamity_lab.text import format_fields, format_value, plural, point_in_time
from calamity_lab.trace.copies import Copy
from calamity_lab.trace.differences import ABSENT, differences, is_same_class
from calamity_lab.trace.index import Kind, stream_ids
from calamity_lab.trace.inputs import Submitted
from calamity_lab.trace.replay import (
    CommandNumbers,
    CommandOutcome,
    Course,
    compared,
    fields_differ,
    in_words,
)
from calamity_lab.trace.trace import Branch, Trace, is_same_moment, shared_length

Status = Literal["same", "changed", "only in a", "only in b"]
Part = Literal["event", "command", "state", "pending"]

T = TypeVar("T")


class ComparedEvent(NamedTuple):
    """An event of one or both branches, with the moment at which each recorded it.

    ``differs`` names the fields that are not the same. Ids, times, positions and versions do not count.
    """

    status: Status
    stream_id: str
    event_type: str
    a: RecordedEvent | None
    b: RecordedEvent | None
    moment_a: int | None
    moment_b: int | None
    differs: str


class ComparedCommand(NamedTuple):
    """A command that one or both branches decided: what it led to on each, and at which moment.

    ``stream_id`` is that of its aggregate; it is empty where nothing was decided yet.
    """

    status: Status
    stream_id: str
    command_type: str
    depth: int
    a: Any
    b: Any
    outcome_a: str
    outcome_b: str
    moment_a: int | None
    moment_b: int | None
    differs: str

    def in_words(self) -> tuple[str | None, str | None]:
        """What the command led to on each branch, with its fields where they differ; None if not sent."""
        texts = self.outcome_a or None, self.outcome_b or None
        is_decided = self.a is not None and self.b is not None
        if self.status != "changed" or not is_decided:
            return texts
        if is_same_value(self.a, self.b):  # the events of one name may differ in their fields
            return (texts[0], self.differs) if texts[0] == texts[1] else texts
        a, b = _parts_in_text(self.a, self.b, 80)
        return f"{a}: {texts[0]}", f"{b}: {texts[1]}"


class ComparedField(NamedTuple):
    """A field in which the states differ. ``field`` is empty for a state that is on one branch only."""

    kind: Kind
    stream_id: str
    field: str
    a: Any
    b: Any

    @property
    def status(self) -> Status:
        """Whether both branches have the field."""
        return "only in b" if self.a is ABSENT else "only in a" if self.b is ABSENT else "changed"


class ComparedPending(NamedTuple):
    """A pending command that is not pending in the same way on both branches.

    ``index_a`` and ``index_b`` are its places on the agendas. The status is "changed" for other fields, and
    "moved" where only the order differs.
    """

    status: Literal["changed", "moved", "only in a", "only in b"]
    a: Pending | None
    b: Pending | None
    index_a: int | None
    index_b: int | None
    differs: str

    @property
    def command_type(self) -> str:
        """The stored name of the command's class."""
        pending = self.b if self.a is None else self.a
        assert pending is not None, "one of the branches has the command"
        return pending.command_type


class ComparedRow(NamedTuple):
    """A difference of any kind: what it is of, its name and stream, and the values on both branches.

    The name is that of the event, of the command or of the field. ``a`` and ``b`` are the events, values and
    pending commands themselves, and what a command led to as a text; None where the branch has none.
    """

    part: Part
    status: str
    stream_id: str
    name: str
    a: Any
    b: Any
    differs: str
    moment_a: int | None
    moment_b: int | None

    def status_between(self, a: Branch, b: Branch) -> str:
        """The status with the names of the branches."""
        return {"only in a": f"only in {a.name}", "only in b": f"only in {b.name}"}.get(
            self.status, self.status
        )

    def texts(self, length: int = 200) -> tuple[str, str]:
        """What each branch has: of a value that changed, the parts that differ; "" where it has nothing."""
        if self.status == "changed":
            return _parts_in_text(self.a, self.b, length)
        a, b = (_in_text(value, length) for value in (self.a, self.b))
        return "" if self.status == "only in b" else a, "" if self.status == "only in a" else b

    def sides(self) -> tuple[str, str]:
        """The same with the step at which an event or a command was decided."""
        a, b = self.texts()
        if self.part in ("state", "pending"):
            return a, b
        return _at_step(a, self.moment_a), _at_step(b, self.moment_b)


def _in_text(value: Any, length: int) -> str:
    return format_fields(value, length) or format_value(value, length)


def _parts_in_text(one: Any, other: Any, length: int) -> tuple[str, str]:
    """The parts in which two values differ, with their paths; the values where they have no parts."""
    found = list(differences(one, other))
    if not found or not all(each.path for each in found):
        return _in_text(one, length), _in_text(other, length)
    a = ", ".join([f"{each.path}={format_value(each.before, length)}" for each in found])
    b = ", ".join([f"{each.path}={format_value(each.after, length)}" for each in found])
    return format_value(a, length), format_value(b, length)


def _at_step(text: str, moment: int | None) -> str:
    return text if moment is None else f"step {moment:,}: {text}"


@dataclass(frozen=True, slots=True)
class Compared:
    """Two branches, and what differs between them.

    ``shared`` is the last moment that the branches have in common; it is -1 if they have none. The events and
    commands are those after it, in order; the first ``shared_events`` events are the same ones.
    ``diverged_at`` is the last moment up to which the same happened on both branches: also where a replay
    decided the same again. It is None if the branches never part.
    ``state`` and ``pending`` are as of the moments ``at``, one for each branch.
    """

    a: Branch
    b: Branch
    at: tuple[int, int]
    shared: int
    shared_events: int
    diverged_at: int | None
    events: tuple[ComparedEvent, ...]
    commands: tuple[ComparedCommand, ...]
    state: tuple[ComparedField, ...]
    pending: tuple[ComparedPending, ...]

    def __bool__(self) -> bool:
        rows: tuple[ComparedEvent | ComparedCommand, ...] = (*self.events, *self.commands)
        is_same = self.diverged_at is None and all([row.status == "same" for row in rows])
        return not is_same or bool(self.state or self.pending)

    def sentence(self) -> str:
        """Where the branches part, and how much differs."""
        names = f"{self.a.name!r} and {self.b.name!r}"
        counts = [
            plural(count, noun)
            for noun, count in (
                ("event", sum(each.status != "same" for each in self.events)),
                ("command", sum(each.status != "same" for each in self.commands)),
                ("field", len(self.state)),
                ("pending command", len(self.pending)),
            )
            if count
        ]
        differ = f"{', '.join(counts)} differ" if counts else "nothing differs"
        if self.diverged_at is None:
            return f"{names} never part; {differ}"
        return f"{names} part after step {self.diverged_at:,}; {differ}"

    def rows(self) -> Iterator[ComparedRow]:
        """The differences: of the events, of the states, of the commands, of what is pending."""
        for event in self.events:
            if event.status != "same":
                yield ComparedRow(
                    "event",
                    event.status,
                    event.stream_id,
                    event.event_type,
                    None if event.a is None else event.a.event,
                    None if event.b is None else event.b.event,
                    event.differs,
                    event.moment_a,
                    event.moment_b,
                )
        for field in self.state:
            a, b = (None if each is ABSENT else each for each in (field.a, field.b))
            yield ComparedRow("state", field.status, field.stream_id, field.field, a, b, "", *self.at)
        for command in self.commands:
            if command.status != "same":
                yield ComparedRow(
                    "command",
                    command.status,
                    command.stream_id,
                    command.command_type,
                    *command.in_words(),
                    command.differs,
                    command.moment_a,
                    command.moment_b,
                )
        for pending in self.pending:
            a, b = (None if each is None else each.command for each in (pending.a, pending.b))
            yield ComparedRow(
                "pending", pending.status, "", pending.command_type, a, b, pending.differs, *self.at
            )


def compare(trace: Trace, a: str | Branch, b: str | Branch | None = None, at: int | None = None) -> Compared:
    """Compare two branches, by their names or themselves; ``b`` is the current one by default.

    The states are compared as of the end of each branch, or as of the moment ``at`` of both.
    """
    one, other = _branch(trace, a), trace.branch if b is None else _branch(trace, b)
    most = min(len(one.moments), len(other.moments)) - 1
    return _compared(one, other, None if at is None else a_whole_number("compare(at)", at, high=most))


def _branch(trace: Trace, given: Any) -> Branch:
    return given if type(given) is Branch else trace.branch_named(given)


def _compared(a: Branch, b: Branch, at: int | None) -> Compared:
    shared = shared_length(a.moments, b.moments, is_same=is_same_moment) - 1
    courses = _courses(a, b, shared)
    ends = (len(a.moments) - 1, len(b.moments) - 1) if at is None else (at, at)
    known = a.index.events_at(shared)
    return Compared(
        a,
        b,
        ends,
        shared,
        known,
        _diverged_at(a, b, shared, courses),
        tuple(_events(a, b, known, courses)),
        tuple(_commands(courses)),
        tuple(_state(a, b, ends)),
        tuple(_pending(a, b, ends, courses)),
    )


class _Courses(NamedTuple):
    """The commands of both branches after what they share; a command of both has one number."""

    a: Course
    b: Course


class _Submission(NamedTuple):
    """A submitted command, and keys that tell whether another one is the same."""

    command_id: str
    content: Hashable
    type_name: str


def _courses(a: Branch, b: Branch, shared: int) -> _Courses:
    names = CommandNumbers()
    courses = _Courses(Course(names), Course(names))
    known = shared_length(a.inputs, b.inputs)
    sent = [_submissions(branch, known) for branch in (a, b)]
    for number, pair in enumerate(_paired(*sent)):
        for course, submission in zip(courses, pair, strict=True):
            if submission is not None:
                course.submit(submission.command_id, ("submitted", number), number)
    for course, branch in zip(courses, (a, b), strict=True):
        for pending in _open(branch, max(shared, 0)):
            course.known(pending.command_id)
        course.follow(branch, shared + 1)
    return courses


def _submissions(branch: Branch, known: int) -> list[_Submission]:
    return [
        _Submission(command_id, _content(command), stored_name(type(command)))
        for entry in branch.inputs.iterate(known)
        if isinstance(entry.input, Submitted)
        for command, command_id in zip(entry.input.commands, entry.input.command_ids, strict=True)
    ]


def _content(command: Any) -> Hashable:
    """A key of the fields of a command, which those of an equal command have too."""
    fields = [(name, repr_of(value, None)) for name, value in fields_of(command).items()]
    return stored_name(type(command)), *fields


def _paired(
    a: list[_Submission], b: list[_Submission]
) -> Iterator[tuple[_Submission | None, _Submission | None]]:
    """The submitted commands that are the same one, and those of one branch only.

    Both the id and the fields may tell. A replay keeps the id of a command, also of an edited one. A fork on
    which a command is sent again gives it the next id. So first both count, then the fields, then the id.
    """
    keys: tuple[Callable[[_Submission], Hashable], ...] = (
        lambda each: (each.command_id, each.content),
        lambda each: each.content,
        lambda each: (each.command_id, each.type_name),
    )
    for key in keys:
        pairs = _pairs(map(key, a), map(key, b))
        yield from ((a[i], b[j]) for i, j in pairs.items())
        taken = set(pairs.values())
        a = [each for i, each in enumerate(a) if i not in pairs]
        b = [each for j, each in enumerate(b) if j not in taken]
    yield from ((each, None) for each in a)
    yield from ((None, each) for each in b)


def _pairs(a: Iterable[Hashable], b: Iterable[Hashable]) -> dict[int, int]:
    """Which index of one list has the key of which index of the other: the first with the first."""
    first: dict[Hashable, int] = {}
    last: dict[Hashable, int] = {}
    following: dict[int, int] = {}
    for j, key in enumerate(b):
        if key in first:
            following[last[key]] = j
        else:
            first[key] = j
        last[key] = j
    pairs = {}
    for i, key in enumerate(a):
        found = first.pop(key, None)
        if found is not None:
            pairs[i] = found
            if found in following:
                first[key] = following[found]
    return pairs


def _aligned(
    a: Sequence[T], b: Sequence[T], keys_a: Iterable[Hashable], keys_b: Iterable[Hashable]
) -> Iterator[tuple[T | None, T | None]]:
    """The items of both sides, in order; those with one key are the same item."""
    pairs = _pairs(keys_a, keys_b)
    paired, next_b = set(pairs.values()), 0
    for i, item in enumerate(a):
        if i not in pairs:
            yield item, None
            continue
        yield from ((None, b[j]) for j in range(next_b, pairs[i]) if j not in paired)
        next_b = max(next_b, pairs[i] + 1)
        yield item, b[pairs[i]]
    yield from ((None, b[j]) for j in range(next_b, len(b)) if j not in paired)


def _diverged_at(a: Branch, b: Branch, shared: int, courses: _Courses) -> int | None:
    at = max(shared, 0)
    for one, other in zip(a.moments.iterate(at + 1), b.moments.iterate(at + 1), strict=False):
        if not _is_same_step(one.step, other.step, courses):
            return at
        at += 1
    ends = len(a.moments) - 1, len(b.moments) - 1
    return None if ends[0] == ends[1] and not any(_pending(a, b, ends, courses)) else at


def _is_same_step(one: Step | None, other: Step | None, courses: _Courses) -> bool:
    """Whether the same happened at two steps: with the same command, events, state and commands sent."""
    if one is None or other is None or type(one) is not type(other):
        return one is other
    if courses.a.known(one.pending.command_id) != courses.b.known(other.pending.command_id):
        return False
    facts = [(each.verb, each.stream_id, str(each.rejected)) for each in (one, other)]
    return facts[0] == facts[1] and all(map(is_same_value, _values(one), _values(other)))


def _values(step: Step) -> tuple[Any, ...]:
    events = [each.event for each in step.recorded] or list(getattr(step, "events", []))
    return step.command, events, step.after, [pending.command for pending in step.commands]


def is_same_value(one: Any, other: Any) -> bool:
    """Whether two values are the same by what they hold, whatever their ``==`` says."""
    return one is other or all(_is_same_part(each.before, each.after) for each in differences(one, other))


def _is_same_part(one: Any, other: Any) -> bool:
    """Whether two values without fields hold the same, though their ``==`` denies it."""
    return type(one) is type(other) and are_equal(Copy(one, loose=True).plain, Copy(other, loose=True).plain)


def _events(a: Branch, b: Branch, known: int, courses: _Courses) -> Iterator[ComparedEvent]:
    found = [
        list(zip(index.events.iterate(known), index.event_moments.iterate(known), strict=True))
        for index in (a.index, b.index)
    ]
    keys = [
        [(course.number(event.causation_id or ""), event.stream_id, event.event_type) for event, _ in side]
        for course, side in zip(courses, found, strict=True)
    ]
    for one, other in _aligned(*found, *keys):
        x, moment_a = one or (None, None)
        y, moment_b = other or (None, None)
        differs = "" if x is None or y is None else _differ(x.event, y.event)
        event: Any = y if x is None else x
        status = _status(x, y, differs)
        yield ComparedEvent(status, event.stream_id, event.event_type, x, y, moment_a, moment_b, differs)


def _status(a: Any, b: Any, differs: str) -> Status:
    if a is None or b is None:
        return "only in b" if a is None else "only in a"
    return "changed" if differs else "same"


def _differ(one: Any, other: Any) -> str:
    """How two messages differ, in words; empty where they are the same."""
    return "" if is_same_value(one, other) else fields_differ(one, other)


def _commands(courses: _Courses) -> Iterator[ComparedCommand]:
    one, other = (list(course.decided) for course in courses)
    for x, y in _aligned(one, other, one, other):
        number: Any = y if x is None else x
        yield _command(number, courses)


def _command(number: int, courses: _Courses) -> ComparedCommand:
    a, b = (course.decided.get(number) for course in courses)
    outcomes = [_outcome(number, course) for course in courses]
    differs = _outcomes_differ(a, b, outcomes)
    status = _status(courses.a.ids.get(number), courses.b.ids.get(number), differs)
    some: Any = a or b
    pending: Pending = some.pending
    decision = next((each.decision for each in (b, a) if each is not None and each.decision), None)
    return ComparedCommand(
        status,
        (None if decision is None else decision.stream_id) or "",
        pending.command_type,
        pending.depth,
        None if a is None else a.pending.command,
        None if b is None else b.pending.command,
        outcomes[0],
        outcomes[1],
        None if a is None else a.moment,
        None if b is None else b.moment,
        differs,
    )


def _outcome(number: int, course: Course) -> str:
    """What a command led to on a branch, in words; empty where it was not sent there."""
    decided = course.decided.get(number)
    if decided is None:
        return "not run" if number in course.ids else ""
    return in_words(decided)


def _outcomes_differ(a: CommandOutcome | None, b: CommandOutcome | None, outcomes: Sequence[str]) -> str:
    """How a command and what it led to differ, in words; empty where they are the same."""
    if a is None or b is None:
        return " → ".join(outcomes) if all(outcomes) else ""
    kind, events = compared(a, b)
    if kind != "same" and (not events or kind != "changed"):
        events = " → ".join(outcomes)
    return "; ".join(filter(None, [_differ(a.pending.command, b.pending.command), events]))


def _state(a: Branch, b: Branch, at: tuple[int, int]) -> Iterator[ComparedField]:
    one, other = (branch.states_at(moment) for branch, moment in zip((a, b), at, strict=True))
    for kind, states in one.items():
        others = other[kind]
        if states is others:
            continue
        for name in sorted({*stream_ids(states), *stream_ids(others)}):
            before, after = states.get(name), others.get(name)
            if before is not after:
                yield from (ComparedField(kind, name, *each) for each in _fields(before, after))


def _fields(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """The fields in which two states differ; the states themselves where their fields have no names."""
    if before is None or after is None:
        yield "", ABSENT if before is None else before, ABSENT if after is None else after
    elif is_same_class(before, after) and (is_record(before) or is_a(before, dict)):
        one, other = fields_of(before), fields_of(after)
        for name in {**one, **other}:
            x, y = one.get(name, ABSENT), other.get(name, ABSENT)
            if not is_same_value(x, y):
                yield name, x, y
    elif not is_same_value(before, after):
        yield "value", before, after


def _open(branch: Branch, moment: int) -> Iterator[Pending]:
    """The pending commands of a moment, and then the deadlines."""
    there = branch.moments[moment]
    yield from there.agenda.entries()
    yield from there.stack.deadlines


def _due(one: Pending, other: Pending) -> str:
    """When two deadlines are due, where this differs."""
    if one.due_at is None or other.due_at is None or one.due_at == other.due_at:
        return ""
    return f"due {point_in_time(one.due_at)} → {point_in_time(other.due_at)}"


def _pending(a: Branch, b: Branch, at: tuple[int, int], courses: _Courses) -> Iterator[ComparedPending]:
    one, other = (branch.moments[moment] for branch, moment in zip((a, b), at, strict=True))
    if one.agenda is other.agenda and one.stack.deadlines is other.stack.deadlines:
        return
    found = [
        {course.known(each.command_id): (n, each) for n, each in enumerate(_open(branch, moment))}
        for course, branch, moment in zip(courses, (a, b), at, strict=True)
    ]
    both = [[number for number in side if number in found[0] and number in found[1]] for side in found]
    moved = {number for pair in zip(*both, strict=True) if pair[0] != pair[1] for number in pair}
    for x, y in _aligned(list(found[0].items()), list(found[1].items()), *found):
        number: Any = (x or y)[0]  # type: ignore[index]
        index_a, p = (None, None) if x is None else x[1]
        index_b, q = (None, None) if y is None else y[1]
        differs = "" if p is None or q is None else _differ(p.command, q.command) or _due(p, q)
        status: Any = _status(p, q, differs)
        if status != "same" or number in moved:
            status = "moved" if status == "same" else status
            yield ComparedPending(status, p, q, index_a, index_b, differs)
