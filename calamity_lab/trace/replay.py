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
    """A command to submit; ``key`` names it in both runs. ``why`` says why it is left out, if it is."""

    command: Any
    metadata: Mapping[str, Any]
    command_id: str | None
    key: Any
    root: int | None
    why: str = ""


@dataclass(slots=True)
class _Slot:
    """An input of the old branch, and the commands that are now submitted there."""

    entry: Entry
    items: list[_Item] | None
    is_edited: bool = False


def replay(trace: Trace, edits: Edits = NO_EDITS, *, name: str | None = None) -> Replayed:
    """The inputs of the current branch, edited, decided again on a new branch.

    Only what follows the first edit is decided again; without an edit, everything is.
    """
    branch = trace.branch
    if name is not None:
        name = trace.checked_name(name)
    names = CommandNumbers()
    old = _course_of(branch, names)
    slots = _slots(branch, edits)
    first = next((i for i, slot in enumerate(slots) if slot.is_edited), 0)
    words = edits.described(submitted_on(branch))
    new = _Replay(names, old)
    name = name or trace.free_name(words)
    at = branch.inputs[first].at if branch.inputs else 0
    begun = replace(
        branch.upto(at, first), name=name, parent=branch.name, forked_at=at, edits=words, unfinished=None
    )
    if edits:  # from an edit on, the source of ids would draw some that later commands keep
        slots.insert(first, _Slot(slots[first].entry._replace(input=IdsApart(name)), None))
    new.follow(trace, begun, slots[first:])
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
        start = start._replace(stack=replace(start.stack, **changes))
    base = Trace.of(start, model).branch
    if len(trace.branches) == 1 and len(branch.moments) == 1 and not branch.inputs:
        return Replayed(Trace(replace(base, name=branch.name), memo=trace.memo), (), tuple(renewed.unplayed))
    names = CommandNumbers()
    old = _course_of(branch, names)
    new = _Replay(names, old, renewed)
    parent = trace.branch.name if branch is trace.branch else trace.branch.parent
    base = replace(base, name=trace.free_name(), parent=parent, edits="on other classes")
    new.follow(trace, base, _slots_of(branch.inputs, retry=True)[0])
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
    new.follow(trace, base, _slots_of(inputs, len(submitted_on(base)))[0])
    rows = tuple(_rows(old, new.course, old.names))
    return Replayed(new.trace, rows, tuple(new.unplayed), new.error)


def _course_of(branch: Branch, names: CommandNumbers) -> Course:
    course = Course(names)
    course.put(branch.inputs)
    course.follow(branch)
    return course


def _slots(branch: Branch, edits: Edits) -> list[_Slot]:
    """The inputs of a branch with the edits."""
    slots, homes = _slots_of(branch.inputs)
    _edit(homes, edits)
    return slots


def _slots_of(
    inputs: Sequence[Entry], first: int = 0, *, retry: bool = False
) -> tuple[list[_Slot], list[_Slot]]:
    """The inputs, and that of each submitted command; ``first`` is the number of the first command.

    With ``retry`` also the inputs that were not played there.
    """
    slots: list[_Slot] = []
    homes: list[_Slot] = []
    for entry in inputs:
        put = entry.input
        if retry and isinstance(put, Unplayed):
            slots.append(_retried(entry._replace(input=put.input, after=put.after)))
            continue
        if not isinstance(put, Submitted):
            slots.append(_Slot(entry, None))
            continue
        items = [
            _Item(command, put.metadata, command_id, ("submitted", number), number)
            for number, (command, command_id) in enumerate(
                zip(put.commands, put.command_ids, strict=True), first + len(homes)
            )
        ]
        slots.append(_Slot(entry, items))
        homes += [slots[-1]] * len(items)
    return slots, homes


def _retried(entry: Entry) -> _Slot:
    """An input that was not played on the branch, to put it in all the same."""
    put = entry.input
    if not isinstance(put, Submitted):
        return _Slot(entry, None)
    pairs = zip(put.commands, put.command_ids, strict=True)
    return _Slot(entry, [_Item(given, put.metadata, id_, ("retried", id_), None) for given, id_ in pairs])


def _edit(homes: list[_Slot], edits: Edits) -> None:
    """Change, move, insert and leave out commands; a number always means the command as it was before."""
    total = len(homes)
    for number in [*edits.without, *edits.edit, *edits.insert, *edits.move, *edits.move.values()]:
        if not 0 <= number < total + (total > 0 and number in edits.insert):
            raise InvalidValue(
                f"replay(): there is no submitted command {repr_of(number)}; "
                + (f"there are 0 to {total - 1}: see lab.submitted" if total else "none was submitted")
            )

    def at(number: int) -> tuple[_Slot, int]:
        slot = homes[number]
        items = slot.items or []
        return slot, next(i for i, item in enumerate(items) if item.key == ("submitted", number))

    for number, command in edits.edit.items():
        slot, i = at(number)
        slot.items[i] = slot.items[i]._replace(command=command)  # type: ignore[index]
        slot.is_edited = True
    for number, target in edits.move.items():
        if number == target:
            continue
        slot, i = at(number)
        item = slot.items.pop(i)  # type: ignore[union-attr]
        there, j = at(target)
        there.items.insert(j + (target > number), item)  # type: ignore[union-attr]
        slot.is_edited = there.is_edited = True
        homes[number] = there
    for number, commands in edits.insert.items():
        slot, i = at(number) if number < total else (homes[-1], len(homes[-1].items or ()))
        new = [
            _Item(command, NO_METADATA, None, ("inserted", number, n), None)
            for n, command in enumerate(commands)
        ]
        slot.items[i:i] = new  # type: ignore[index]
        slot.is_edited = True
    for number in edits.without:
        slot, i = at(number)
        del slot.items[i]  # type: ignore[union-attr]
        slot.is_edited = True


class _Replay:
    """The loop of a replay: it puts each input where it belongs, and advances the run in between.

    ``renewed`` makes the inputs again in the classes of another model.
    """

    def __init__(self, names: CommandNumbers, old: Course, renewed: Renewed | None = None) -> None:
        self.old, self.course, self._renewed = old, Course(names), renewed
        self.unplayed: list[str] = [] if renewed is None else renewed.unplayed
        self.trace: Trace
        self.error: CalamityError | None = None

    def follow(self, trace: Trace, base: Branch, slots: Sequence[_Slot]) -> None:
        """Continue the new branch with the remaining inputs, as far as the old one went."""
        self.course = _course_of(base, self.course.names)
        self.trace = trace.on(base)
        waiting = deque(slots)
        try:
            while True:
                while waiting and (self._is_reached(waiting[0].entry) or self._run.idle):
                    self._put(waiting.popleft())
                if self._run.idle or not (waiting or self._goes_on()):
                    return
                step, run = advance(self._run)
                self.trace = self.trace.append(step, run)
                self.course.take(step)
        except CalamityError as error:
            self.error = error
            for slot in waiting:
                self._set_aside(slot.entry.input, slot.entry.after, "the replay stopped before it")

    @property
    def _run(self) -> Run:
        return self.trace.branch.moments[-1].run

    def _is_reached(self, entry: Entry) -> bool:
        """Whether the step after which an input was put has been made."""
        after = entry.after
        if after is None:
            return True
        number = self.old.number(after.command_id)
        number = self.course.number(after.command_id) if number is None else number  # of what is retried
        done = None if number is None else self.course.decided.get(number)
        return done is not None and (done.steps >= after.steps or done.ended)

    def _goes_on(self) -> bool:
        """Whether the command that is next ran on the old branch, or is one that the old branch had not."""
        progress, wait, armed = self._run.progress, self._run.wait, next_fault(self._run)
        if wait is not None:
            number = self.course.number(wait.wait_id)
            return number not in self.old.ids or number in self.old.decided
        if progress is None and armed is not None:
            number = self.course.number(armed.fault_id)
            return number not in self.old.ids or number in self.old.happened
        if progress is not None:
            number = self.course.number(progress.pending.command_id)
            old = None if number is None else self.old.decided.get(number)
            mine = None if number is None else self.course.decided.get(number)
            return old is None or mine is None or old.ended or mine.steps < old.steps
        pending = next(self._run.agenda.entries())
        number = self.course.number(pending.command_id)
        return number not in self.old.ids or number in self.old.decided

    def _put(self, slot: _Slot) -> None:
        if slot.items is None:
            self._put_other(slot.entry.input, slot.entry.after)
            return
        given: Any
        for (metadata, is_new, why), group in groupby(
            map(self._renewed_item, slot.items),
            lambda item: (item.metadata, item.command_id is None, item.why),
        ):
            items = list(group)
            ids = () if is_new else tuple([str(item.command_id) for item in items])
            given = Submitted(tuple([item.command for item in items]), metadata, ids)
            if why:
                self._set_aside(given, slot.entry.after, why)
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

    def _command_id(self, there: str) -> str:
        """The id of the command that corresponds to one of the old branch."""
        number = self.old.number(there)
        number = self.course.number(there) if number is None else number  # of what is retried
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
    was, held = _states(before), _states(now)
    for stream_id in dict.fromkeys([*was, *held]):
        if stream_id not in was or stream_id not in held:
            yield f"{stream_id} is {'new' if stream_id in held else 'not there any more'}"
        elif differs := fields_differ(was[stream_id], held[stream_id], stream_id, renew):
            yield differs


def _states(branch: Branch) -> dict[str, Any]:
    """The states at the end of a branch, by stream id."""
    last = branch.moments[-1]
    held = last.stack.aggregates, last.stack.process_managers, branch.index.projected_at(last.index)
    return {stream_id: state for states in held for stream_id, state in states.items()}


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

    def gone(after: int | None) -> Iterator[ReplayRow]:
        for number in gone_after.get(after, ()):
            was = old.decided[number]
            is_pending = number in new.ids
            yield ReplayRow(
                names.root(number),
                was.pending.command,
                was.pending.depth,
                "not run" if is_pending else "gone",
                in_words(was),
                "",
                "still pending" if is_pending else "not sent any more",
                None,
            )

    yield from gone(None)
    for number, now in new.decided.items():
        if isinstance(now.pending.command, Fault):
            continue
        before = old.decided.get(number)
        outcome, differs = compared(before, now, renew)
        yield ReplayRow(
            names.root(number),
            now.pending.command,
            now.pending.depth,
            outcome,
            "" if before is None else in_words(before),
            in_words(now),
            differs,
            now.moment,
        )
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
