"""Replay: the inputs of a branch, with edits, decided again on a new branch.

A history with one command left out may be one that could never have happened. So a replay never copies what
followed: it puts the inputs in again, and the model decides again. An input comes after the same step of the
same command as before. Commands are matched by how they came to be, since the ids of what a process manager
sends may differ: "the second ``DepositFunds`` that ``Transfer-t1`` sent after this command".
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count, groupby
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import CalamityError, InvalidFields, InvalidValue, OutOfRange, Rejected, repr_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import are_equal
from calamity_lab.kernel.faults import Fault, Lose, Redeliver, next_fault
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.recorded import NO_METADATA, RecordedEvent
from calamity_lab.kernel.run import Run, Wait, advance
from calamity_lab.kernel.schema import fields_of
from calamity_lab.kernel.steps import Elapsed, Injected, Step
from calamity_lab.model import Model
from calamity_lab.text import format_value, plural
from calamity_lab.trace.differences import differences
from calamity_lab.trace.inputs import (
    AfterStep,
    Armed,
    Chosen,
    Dropped,
    Entry,
    IdsApart,
    Input,
    Submitted,
    Unplayed,
    own_id,
)
from calamity_lab.trace.renewal import Renewed
from calamity_lab.trace.trace import Branch, Trace, Unfinished

Renew = Callable[[Any], Any]
Outcome = Literal["same", "changed", "rejected", "accepted", "new", "gone", "not run"]
_LENGTH = 200
_LONGEST_NAME = 80


class SubmittedCommand(NamedTuple):
    """A command that was submitted on a branch: its number from 0, and the moment at which it was sent."""

    number: int
    command: Any
    moment: int
    command_id: str
    metadata: Mapping[str, Any] = NO_METADATA


class ReplayRow(NamedTuple):
    """What became of a command in a replay.

    ``number`` is that of the submitted command which it is, or which caused it; None for an inserted one.
    ``before`` and ``after`` say what the command led to on each branch; ``differs`` names what is not the
    same. ``moment`` is the moment on the new branch at which the command was decided.
    """

    number: int | None
    command: Any
    depth: int
    outcome: Outcome
    before: str
    after: str
    differs: str
    moment: int | None

    @property
    def news(self) -> str:
        """What is not as it was, in a few words: "RequestTransfer is now rejected"."""
        verb = {"gone": "is not sent any more", "new": "is new", "not run": "is still pending"}
        what = verb.get(self.outcome) or (
            f"is now {self.outcome}" if self.outcome != "changed" else "now has a different outcome"
        )
        return f"{stored_name(type(self.command))} {what}"


def differing(rows: Iterable[ReplayRow]) -> tuple[ReplayRow, ...]:
    """The rows of the commands whose outcome is not the same."""
    return tuple([row for row in rows if row.outcome != "same"])


@dataclass(frozen=True, slots=True)
class Replayed:
    """A trace whose current branch is the replay, and what became of each command.

    ``unplayed`` are sentences about inputs that could not be put in again. ``error`` is what stopped the
    replay, if a callback of the model failed: the branch ends before that call. ``states`` says which states
    differ at the end, of a replay on other classes.
    """

    trace: Trace
    rows: tuple[ReplayRow, ...]
    unplayed: tuple[str, ...] = ()
    error: CalamityError | None = None
    states: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether the replay says the same as the branch did."""
        others = self.unplayed or self.states or self.error
        return not others and all([row.outcome == "same" for row in self.rows])

    @property
    def first_difference(self) -> int | None:
        """The first moment on the new branch at which a command was not decided as before."""
        found = [row.moment for row in differing(self.rows) if row.moment is not None]
        return min(found, default=None)

    @property
    def sentence(self) -> str:
        """How many commands were decided again, and where the first difference is."""
        decided = plural(sum(row.moment is not None for row in self.rows), "command")
        name = self.trace.branch.name
        # A command that was left out is no news; what the model decides otherwise because of it is.
        differences = differing(self.rows)
        first = next((row for row in differences if row.moment is not None), None)
        if first is None and self.unplayed:
            left_out = plural(len(self.unplayed), "input")
            return f"{decided} replayed on {name!r}; {left_out} could not be replayed"
        if first is None and self.error is not None:
            return f"{decided} replayed on {name!r}, which stopped at step {self.trace.last:,}"
        first = first or next(iter(differences), None)
        if first is None and self.states:
            others = f", and {plural(len(self.states) - 1, 'other state')}" if len(self.states) > 1 else ""
            state = f"{self.states[0]}{others}"
            return f"{decided} replayed on {name!r} and decided as before; different at the end is {state}"
        if first is None:
            return f"{decided} replayed on {name!r}; no difference"
        at = "" if first.moment is None else f" at step {first.moment:,}"
        return f"{decided} replayed on {name!r}; the first difference is{at}: {first.news}"


def submitted_on(branch: Branch) -> tuple[SubmittedCommand, ...]:
    """The submitted commands of a branch, in order."""
    found = [
        (given, entry.at, command_id, entry.input.metadata)
        for entry in branch.inputs
        if isinstance(entry.input, Submitted)
        for given, command_id in zip(entry.input.commands, entry.input.command_ids, strict=True)
    ]
    return tuple([SubmittedCommand(number, *each) for number, each in enumerate(found)])


_BY_ID = Slot[Mapping[str, int]](most=8)


def submitted_numbers(trace: Trace) -> Mapping[str, int]:
    """The numbers of the submitted commands of the current branch, by command id."""
    inputs = trace.branch.inputs
    return trace.memo.once(
        _BY_ID, lambda: {each.command_id: each.number for each in submitted_on(trace.branch)}, inputs
    )


class CommandNumbers:
    """Numbers for commands by how they came to be: the same command has the same number in two runs."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._roots: list[int | None] = []

    def of(self, key: Any, root: int | None) -> int:
        """The number of that command; ``root`` is the number of the submitted one above it."""
        number = self._numbers.setdefault(key, len(self._roots))
        if number == len(self._roots):
            self._roots.append(root)
        return number

    def root(self, number: int) -> int | None:
        """The number of the submitted command that a command is, or that caused it."""
        return self._roots[number]


@dataclass(slots=True)
class CommandOutcome:
    """What became of a command in one run."""

    pending: Pending
    decision: Step | None = None
    moment: int | None = None
    recorded: tuple[RecordedEvent, ...] = ()
    steps: int = 0
    ended: bool = False

    @property
    def rejected(self) -> Rejected | None:
        return None if self.decision is None else self.decision.rejected

    @property
    def events(self) -> Sequence[Any]:
        if self.recorded:
            return [each.event for each in self.recorded]
        return () if self.decision is None else getattr(self.decision, "events", ())


@dataclass(slots=True)
class Course:
    """The commands of one run, by their numbers, in the order in which they were dispatched."""

    names: CommandNumbers
    numbers: dict[str, int] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)
    decided: dict[int, CommandOutcome] = field(default_factory=dict)
    happened: dict[int, tuple[RecordedEvent, ...]] = field(default_factory=dict)  # what faults recorded
    _sent: Counter[Any] = field(default_factory=Counter)

    def submit(self, command_id: str, key: Any, root: int | None) -> None:
        self._name(command_id, self.names.of(key, root))

    def put(self, inputs: Iterable[Entry]) -> None:
        """Name the commands, the faults and the waits of these inputs, which are those of a branch."""
        numbers = count()
        for entry in inputs:
            if isinstance(entry.input, Submitted):
                for command_id, number in zip(entry.input.command_ids, numbers, strict=False):
                    self.submit(command_id, ("submitted", number), number)
            elif (mine := own_id(entry.input)) is not None:
                self.submit(mine, ("put", mine), None)

    def _name(self, command_id: str, number: int) -> None:
        self.numbers[command_id] = number
        self.ids[number] = command_id

    def number(self, command_id: str) -> int | None:
        return self.numbers.get(command_id)

    def known(self, command_id: str) -> int:
        """The number of a command, also of one that was pending before this course began."""
        number = self.number(command_id)
        if number is None:
            number = self.names.of(("before", command_id), None)
            self._name(command_id, number)
        return number

    def take(self, step: Step) -> None:
        """Note a step: who was dispatched, what was decided and recorded, what was sent."""
        number = self.known(step.pending.command_id)
        found = self.decided.get(number)
        if found is None:
            found = self.decided[number] = CommandOutcome(step.pending)
        found.steps += 1
        if isinstance(step, Injected):
            self._injected(step)
            return
        if step.decides:
            found.decision, found.moment = step, step.index
        if step.recorded:
            found.recorded = tuple(step.recorded)
        found.ended = step.ends
        if isinstance(step, Elapsed):  # what is due now was named when it was set
            return
        for pending in (*step.commands, *step.deadlines):
            self.send(number, pending)

    def send(self, number: int, pending: Pending) -> None:
        """Note a command that was sent because of the one with that number."""
        key = (number, str(pending.sender), pending.command_type)
        self._sent[key] += 1
        child = self.names.of((*key, self._sent[key]), self.names.root(number))
        self._name(pending.command_id, child)

    def _injected(self, step: Injected) -> None:
        """Note a fault that was carried out, and what another writer recorded."""
        number = self.numbers.get(step.fault_id)
        if number is not None:
            self.happened[number] = step.recorded

    def event(self, event: RecordedEvent, there: Course) -> RecordedEvent:
        """The event of this run that corresponds to an event of another one.

        Raises `InvalidValue` where it was not recorded here.
        """
        number = there.numbers.get(event.causation_id or "")
        if number is None:
            return event  # recorded before either run began
        before, here = there.recorded(number), self.recorded(number)
        index = [each.event_id for each in before].index(event.event_id)
        if index >= len(here):
            raise InvalidValue("this event was not recorded")
        return here[index]

    def recorded(self, number: int) -> tuple[RecordedEvent, ...]:
        """The events that a command or a fault led to."""
        decided = self.decided.get(number)
        return self.happened.get(number, ()) or (() if decided is None else decided.recorded)

    def follow(self, branch: Branch, since: int = 1) -> None:
        """Note the steps of a branch from a moment on."""
        for moment in branch.moments.iterate(since):
            if moment.step is not None:
                self.take(moment.step)


class Edits(NamedTuple):
    """What a replay changes: by the numbers of the submitted commands."""

    without: frozenset[int] = frozenset()
    edit: Mapping[int, Any] = {}
    insert: Mapping[int, tuple[Any, ...]] = {}
    move: Mapping[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self.without or self.edit or self.insert or self.move)

    def described(self, submitted: Sequence[SubmittedCommand]) -> str:
        """The edits in a few words, as in "without WithdrawFunds"; "" where there is none."""

        def named(commands: Iterable[Any]) -> str:
            names = [stored_name(type(command)) for command in commands]
            return names[0] if len(names) == 1 else plural(len(names), "command")

        def of(numbers: Iterable[int]) -> str:
            return named(submitted[number].command for number in numbers)

        inserted = [command for commands in self.insert.values() for command in commands]
        words = [
            f"without {of(self.without)}" if self.without else "",
            f"{of(self.edit)} changed" if self.edit else "",
            f"{of(self.move)} moved" if self.move else "",
            f"with {named(inserted)}" if inserted else "",
        ]
        return format_value(", ".join(filter(None, words)), _LONGEST_NAME)


NO_EDITS = Edits()


class _Item(NamedTuple):
    """An input of the old branch, with its number there; or a command to submit with such an input.

    ``key`` names a command in both runs; it is None for another input. ``why`` says why the command is left
    out, if it is.
    """

    entry: Entry
    home: int
    command: Any = None
    metadata: Mapping[str, Any] = NO_METADATA
    command_id: str | None = None
    key: Any = None
    root: int | None = None
    why: str = ""


def replay(trace: Trace, edits: Edits = NO_EDITS, *, name: str | None = None) -> Replayed:
    """The inputs of the current branch, edited, decided again on a new branch.

    Only what follows the first edit is decided again; without an edit, everything is.
    """
    branch = trace.branch
    if name is not None:
        name = trace.checked_name(name)
    names = CommandNumbers()
    old = _course_of(branch, names)
    before = _items_of(branch.inputs)
    first, items = _first_edited(before, edits), _edited(before, edits)
    words = edits.described(submitted_on(branch))
    new = _Replay(names, old)
    name = name or trace.free_name(words)
    at = branch.inputs[first].at if branch.inputs else 0
    begun = replace(
        branch.upto(at, first), name=name, parent=branch.name, forked_at=at, edits=words, unfinished=None
    )
    items = [item for item in items if item.home >= first]
    if edits:  # from an edit on, the source of ids would draw some that later commands keep
        items.insert(0, _Item(branch.inputs[first]._replace(input=IdsApart(name)), -1))
    new.follow(trace, begun, items)
    return Replayed(new.trace, tuple(_rows(old, new.course, names)), tuple(new.unplayed), new.error)


def reload(trace: Trace, model: Model, start: Run | None = None, **sources: Any) -> Replayed:
    """The inputs of the current branch, decided again by another model on a new branch.

    ``start`` is the run from which to begin; by default that of the branch, in the classes of the model.
    ``sources`` are another clock or other ids.
    Where the model has the same classes and decides the same, the branch stays the current one. A branch on
    which such a replay did not come to its end gives way to the one that was replayed there, if nothing was
    put in since. A trace in which nothing was done begins again on its only branch.
    """
    branch = trace.branch
    while branch.unfinished is not None and len(branch.inputs) == branch.unfinished.inputs:
        branch = branch.unfinished.source
    renewed = Renewed(branch.model, model)
    if start is None:
        start = renewed.run(branch.start)
    changes = {name: it for name, it in sources.items() if not are_equal(it, getattr(start.stack, name))}
    if changes:
        start = replace(start, stack=replace(start.stack, **changes))
    base = Trace.of(start, model).branch
    if len(trace.branches) == 1 and len(branch.moments) == 1 and not branch.inputs:
        return Replayed(Trace(replace(base, name=branch.name), memo=trace.memo), (), tuple(renewed.unplayed))
    names = CommandNumbers()
    old = _course_of(branch, names)
    new = _Replay(names, old, renewed)
    parent = trace.branch.name if branch is trace.branch else trace.branch.parent
    base = replace(base, name=trace.free_name(), parent=parent, edits="on other classes")
    new.follow(trace, base, _items_of(branch.inputs, retry=True))
    new.finish(branch)
    rows = tuple(_rows(old, new.course, names, renewed.value))
    states = () if new.error else tuple(_states_differ(branch, new.trace.branch, renewed.value))
    replayed = Replayed(new.trace, rows, tuple(new.unplayed), new.error, states)
    is_another = branch is not trace.branch or changes or not renewed.changes_no_class
    if is_another or not replayed.is_same:
        return replayed
    return replace(replayed, trace=trace.on(replace(branch, model=model)))


def decided_again(trace: Trace, base: Branch, old: Course, inputs: Sequence[Entry]) -> Replayed:
    """The inputs of a run that is no branch of this trace, decided on a branch that begins as ``base``.

    ``old`` is what became of the commands in that run, and ``inputs`` are those that ``base`` lacks.
    """
    new = _Replay(old.names, old)
    new.follow(trace, base, _items_of(inputs, len(submitted_on(base))))
    rows = tuple(_rows(old, new.course, old.names))
    return Replayed(new.trace, rows, tuple(new.unplayed), new.error)


def _course_of(branch: Branch, names: CommandNumbers) -> Course:
    course = Course(names)
    course.put(branch.inputs)
    course.follow(branch)
    return course


def _items_of(inputs: Iterable[Entry], first: int = 0, *, retry: bool = False) -> list[_Item]:
    """The inputs, one item for each command; ``first`` is the number of the first one.

    With ``retry`` also the inputs that were not played there, to put them in all the same.
    """
    items: list[_Item] = []
    numbers = count(first)
    for home, entry in enumerate(inputs):
        put, is_retried = entry.input, False
        if retry and isinstance(put, Unplayed):
            entry, put, is_retried = entry._replace(input=put.input, after=put.after), put.input, True
        if not isinstance(put, Submitted):
            items.append(_Item(entry, home))
            continue
        for command, command_id in zip(put.commands, put.command_ids, strict=True):
            root = None if is_retried else next(numbers)
            key = ("retried", command_id) if is_retried else ("submitted", root)
            items.append(_Item(entry, home, command, put.metadata, command_id, key, root))
    return items


def _first_edited(items: Sequence[_Item], edits: Edits) -> int:
    """The number of the first input that is not put in as it was."""
    homes = [item.home for item in items if item.root is not None]
    for number in [*edits.without, *edits.edit, *edits.insert, *edits.move, *edits.move.values()]:
        if not 0 <= number < len(homes) + (bool(homes) and number in edits.insert):
            raise InvalidValue(
                f"replay(): there is no submitted command {repr_of(number)}; "
                + (f"there are 0 to {len(homes) - 1}: see lab.submitted" if homes else "none was submitted")
            )
    moved = [number for pair in edits.move.items() if pair[0] != pair[1] for number in pair]
    edited = {*edits.without, *edits.edit, *edits.insert, *moved}
    return min([homes[min(number, len(homes) - 1)] for number in edited], default=0)


def _edited(items: Sequence[_Item], edits: Edits) -> list[_Item]:
    """Move, change, insert and leave out commands; a number always means the command as it was before."""
    placed = list(items)
    for number, target in edits.move.items():
        if number != target:
            item = placed.pop(_index_of(number, placed))
            there = _index_of(target, placed)
            item = item._replace(entry=placed[there].entry, home=placed[there].home)
            placed.insert(there + (target > number), item)
    found: list[_Item] = []
    total = sum(item.root is not None for item in items)
    end = placed[_index_of(total - 1, placed)].home if total in edits.insert else None
    for n, item in enumerate(placed):
        number = -1 if item.root is None else item.root
        if number in edits.insert:
            found += _inserted(number, item, edits)
        if number not in edits.without:
            found.append(item._replace(command=edits.edit[number]) if number in edits.edit else item)
        if item.home == end and (n + 1 == len(placed) or placed[n + 1].home != end):
            found += _inserted(total, item, edits)
    return found


def _index_of(number: int, items: Sequence[_Item]) -> int:
    return next(n for n, item in enumerate(items) if item.root == number)


def _inserted(number: int, item: _Item, edits: Edits) -> list[_Item]:
    """The commands that are inserted before that number, with the input of a command there."""
    return [
        _Item(item.entry, item.home, command, NO_METADATA, None, ("inserted", number, n))
        for n, command in enumerate(edits.insert[number])
    ]


class _Replay:
    """The loop of a replay: it puts each input where it belongs, and advances the run in between.

    ``renewed`` makes the inputs again in the classes of another model.
    """

    def __init__(self, names: CommandNumbers, old: Course, renewed: Renewed | None = None) -> None:
        self.old, self.course, self._renewed = old, Course(names), renewed
        self.unplayed: list[str] = [] if renewed is None else renewed.unplayed
        self.trace: Trace
        self.error: CalamityError | None = None

    def follow(self, trace: Trace, base: Branch, items: Iterable[_Item]) -> None:
        """Continue the new branch with the remaining inputs, as far as the old one went."""
        self.course = _course_of(base, self.course.names)
        self.trace = trace.on(base)
        waiting = deque([list(together) for _, together in groupby(items, key=lambda item: item.home)])
        try:
            while True:
                while waiting and (self._is_reached(waiting[0][0].entry) or self._run.idle):
                    self._put(waiting.popleft())
                if self._run.idle or not (waiting or self._goes_on()):
                    return
                step, run = advance(self._run)
                self.trace = self.trace.append(step, run)
                self.course.take(step)
        except CalamityError as error:
            self.error = error
            for entry, *_ in (together[0] for together in waiting):
                self._set_aside(entry.input, entry.after, "the replay stopped before it")

    @property
    def _run(self) -> Run:
        return self.trace.branch.moments[-1].run

    def _is_reached(self, entry: Entry) -> bool:
        """Whether the step after which an input was put has been made."""
        after = entry.after
        if after is None:
            return True
        number = self._number(after.command_id)
        done = None if number is None else self.course.decided.get(number)
        return done is not None and (done.steps >= after.steps or done.ended)

    def _goes_on(self) -> bool:
        """Whether the command that is next ran on the old branch, or is one that the old branch had not."""
        progress, wait, armed = self._run.progress, self._run.wait, next_fault(self._run)
        if wait is None and progress is not None:
            number = self.course.number(progress.pending.command_id)
            old = None if number is None else self.old.decided.get(number)
            mine = None if number is None else self.course.decided.get(number)
            return old is None or mine is None or old.ended or mine.steps < old.steps
        if wait is not None:
            number = self.course.number(wait.wait_id)
        elif armed is not None:
            number = self.course.number(armed.fault_id)
            return number not in self.old.ids or number in self.old.happened
        else:
            number = self.course.number(next(self._run.agenda.entries()).command_id)
        return number not in self.old.ids or number in self.old.decided

    def _put(self, together: Sequence[_Item]) -> None:
        """Put in what was put in together: one input, or the commands that are submitted there now."""
        entry = together[0].entry
        if together[0].key is None:
            self._put_other(entry.input, entry.after)
            return
        given: Any
        for (metadata, is_new, why), group in groupby(
            map(self._renewed_item, together),
            lambda item: (item.metadata, item.command_id is None, item.why),
        ):
            items = list(group)
            ids = () if is_new else tuple([str(item.command_id) for item in items])
            given = Submitted(tuple([item.command for item in items]), metadata, ids)
            if why:
                self._set_aside(given, entry.after, why)
                continue
            self.trace = self.trace.put(self.trace.last, given)
            given = self.trace.branch.inputs[-1].input
            for command_id, item in zip(given.command_ids, items, strict=True):
                self.course.submit(command_id, item.key, item.root)

    def _renewed_item(self, item: _Item) -> _Item:
        """A command in its class of now, or with the reason why it is left out."""
        if self._renewed is None:
            return item
        try:
            return item._replace(command=self._renewed.command(item.command))
        except CalamityError as error:
            number = "" if item.root is None else f" (number {item.root})"
            self.unplayed.append(f"{stored_name(type(item.command))}{number}: {error}")
            return item._replace(why=str(error))

    def _put_other(self, given: Input, after: AfterStep | None) -> None:
        """Put an input in again, for the command or event that corresponds to that of the old branch."""
        try:
            if isinstance(given, Chosen | Dropped):
                given = type(given)(self._command_id(given.command_id), given.command_type)
            if (mine := own_id(given)) is not None:
                self.course.submit(mine, ("put", mine), None)
            if isinstance(given, Armed):
                given = Armed(self._corresponding(given.fault), given.fault_id)
            if self._renewed is not None:
                given = self._renewed.value(given)
            self.trace = self.trace.put(self.trace.last, given)
        except (InvalidValue, OutOfRange) as error:
            self.unplayed.append(f"{given.described()}: {error}")
            self._set_aside(given, after, str(error))

    def _set_aside(self, given: Input, after: AfterStep | None, why: str) -> None:
        """Keep an input that cannot be put in now, so that a later replay on other classes tries it again."""
        if self._renewed is not None:
            self.trace = self.trace.put(self.trace.last, Unplayed(given, why, after))

    def finish(self, source: Branch) -> None:
        """Note on the branch what was replayed, where not all of it was."""
        if self.error or self.unplayed:
            branch = self.trace.branch
            branch = replace(branch, unfinished=Unfinished(source, len(branch.inputs)))
            self.trace = self.trace.on(branch)

    def _number(self, there: str) -> int | None:
        """The number of a command of the old branch, or of one that is retried."""
        number = self.old.number(there)
        return self.course.number(there) if number is None else number

    def _command_id(self, there: str) -> str:
        """The id of the command that corresponds to one of the old branch."""
        number = self._number(there)
        command_id = None if number is None else self.course.ids.get(number)
        if command_id is None:
            raise InvalidValue("this command was not sent")
        return command_id

    def _corresponding(self, fault: Fault) -> Fault:
        """The fault for the command or the event that corresponds to the one of the old branch."""
        if isinstance(fault, Lose) and fault.command_id is not None:
            return Lose(self._run.agenda.find(self._command_id(fault.command_id)))
        if isinstance(fault, Redeliver) and isinstance(fault.event, RecordedEvent):
            return Redeliver(self.course.event(fault.event, self.old))
        return fault


def _states_differ(before: Branch, now: Branch, renew: Renew) -> Iterator[str]:
    """Which states are not the same at the end of two branches, in words."""
    was, held = (
        {
            name: state
            for states in branch.states_at(len(branch.moments) - 1).values()
            for name, state in states.items()
        }
        for branch in (before, now)
    )
    for stream_id in dict.fromkeys([*was, *held]):
        if stream_id not in was or stream_id not in held:
            yield f"{stream_id} is {'new' if stream_id in held else 'not there any more'}"
        elif differs := fields_differ(was[stream_id], held[stream_id], stream_id, renew):
            yield differs


def _rows(old: Course, new: Course, names: CommandNumbers, renew: Renew | None = None) -> Iterator[ReplayRow]:
    """One row per command of either run, in the order of the new one; a gone one keeps its neighbour."""
    gone_after: dict[int | None, list[int]] = {}
    last = None
    for number in old.decided:
        if isinstance(old.decided[number].pending.command, Fault | Wait):
            continue
        if number in new.decided:
            last = number
        else:
            gone_after.setdefault(last, []).append(number)

    def row(number: int, outcome: Outcome, differs: str) -> ReplayRow:
        was, now = old.decided.get(number), new.decided.get(number)
        pending = (now or old.decided[number]).pending
        before, after = ("" if each is None else in_words(each) for each in (was, now))
        moment = None if now is None else now.moment
        root, command, depth = names.root(number), pending.command, pending.depth
        return ReplayRow(root, command, depth, outcome, before, after, differs, moment)

    def gone(after: int | None) -> Iterator[ReplayRow]:
        for number in gone_after.get(after, ()):
            is_pending = number in new.ids
            words = "still pending" if is_pending else "not sent any more"
            yield row(number, "not run" if is_pending else "gone", words)

    yield from gone(None)
    for number, now in new.decided.items():
        if not isinstance(now.pending.command, Fault):
            yield row(number, *compared(old.decided.get(number), now, renew))
            yield from gone(number)


def compared(
    before: CommandOutcome | None, now: CommandOutcome, renew: Renew | None = None
) -> tuple[Outcome, str]:
    """What the outcome of a command is against the one before, and what differs.

    ``renew`` makes the events before in the classes of now.
    """
    if before is None:
        return "new", ""
    if before.decision is None or now.decision is None:
        return ("same" if before.decision is now.decision else "changed"), ""
    if before.rejected is not None and now.rejected is not None:
        is_same = str(before.rejected) == str(now.rejected)
        return ("same", "") if is_same else ("changed", f"{before.rejected} → {now.rejected}")
    if now.rejected is not None:
        return "rejected", f"is now rejected: {now.rejected}"
    if before.rejected is not None:
        return "accepted", f"is now accepted; it was rejected: {before.rejected}"
    differs = events_differ(before.events, now.events, renew)
    return ("changed", differs) if differs else ("same", "")


def events_differ(before: Sequence[Any], now: Sequence[Any], renew: Renew | None = None) -> str:
    """How two lists of events differ, in words; empty where they say the same, also in other classes."""
    names = [stored_name(type(event)) for event in before], [stored_name(type(event)) for event in now]
    if names[0] != names[1]:
        return f"{', '.join(names[0]) or 'no event'} → {', '.join(names[1]) or 'no event'}"
    found = [fields_differ(*each, renew) for each in zip(before, now, names[1], strict=True)]
    return format_value("; ".join(filter(None, found)), _LENGTH) if any(found) else ""


def fields_differ(before: Any, now: Any, name: str = "", renew: Renew | None = None) -> str:
    """How two messages differ, in words; empty where all fields are the same, also in other classes."""
    if renew is not None and type(before) is not type(now):
        with suppress(InvalidFields):
            before = renew(before)
        if type(before) is not type(now):
            before, now = fields_of(before), fields_of(now)
    found = [
        f"{'.'.join(filter(None, [name, each.path]))}: "
        f"{format_value(each.before, 60)} → {format_value(each.after, 60)}"
        for each in differences(before, now)
    ]
    return format_value("; ".join(found), _LENGTH) if found else ""


def in_words(decided: CommandOutcome) -> str:
    """What a command led to, in words."""
    if decided.rejected is not None:
        return f"rejected: {decided.rejected}"
    if decided.decision is None:
        return "not decided"
    return ", ".join(stored_name(type(event)) for event in decided.events) or "no event"
