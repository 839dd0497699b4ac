"""A recorded run: branches of moments that share their past."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from operator import is_
from typing import Any, NamedTuple, TypeVar, overload

from calamity_lab.errors import InvalidValue, OutOfRange, repr_of
from calamity_lab.kernel.agenda import Agenda
from calamity_lab.kernel.arguments import a_text, a_whole_number, an_instance, are_equal, has, is_a, wrong
from calamity_lab.kernel.memo import Memo, Slot
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.progress import check_run
from calamity_lab.kernel.run import Run, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Step
from calamity_lab.model import Model
from calamity_lab.text import plural
from calamity_lab.trace.index import Index, Kind
from calamity_lab.trace.inputs import AfterStep, Armed, Entry, Input, Submitted, Waited
from calamity_lab.trace.sentences import sentence

T = TypeVar("T")

MAIN = "main"
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, repr=False)
class Moment:
    """A step and the run after it; the first moment of a trace has no step.

    ``decision`` is the step at which the command of this moment was accepted or rejected, once it was.
    ``stopped`` says why a move stopped here, in the moment that the move returns.
    """

    step: Step | None
    run: Run
    decision: Step | None = None
    stopped: str = field(default="", compare=False)

    def then(self, step: Step, run: Run) -> Moment:
        """The moment after this one."""
        carried = None if step.begins else self.decision
        return Moment(step, run, step if step.decides else carried)

    @property
    def index(self) -> int:
        """The index of the moment in the trace; 0 is the moment before anything happened."""
        return self.run.length

    @property
    def stack(self) -> Stack:
        """The system as it is at this moment."""
        return self.run.stack

    @property
    def agenda(self) -> Agenda:
        """The commands that are pending at this moment."""
        return self.run.agenda

    @property
    def rests(self) -> bool:
        """Whether no command is in progress."""
        return self.run.progress is None

    def __repr__(self) -> str:
        happened = sentence(self.step, self.decision)
        return f"{self.stopped}. {happened}" if self.stopped else happened


class Unfinished(NamedTuple):
    """The branch that a replay on other classes did not replay to its end, and the number of inputs then."""

    source: Branch
    inputs: int


@dataclass(frozen=True, slots=True, repr=False)
class Branch:
    """One course of a run: its moments from the very beginning, and the inputs that led there.

    ``model`` are the classes that decided it. ``parent`` is the branch that it left, at the moment
    ``forked_at``. ``edits`` says what a replay changed, in words, as in "without WithdrawFunds".
    ``unfinished`` is set where not all could be replayed on other classes.
    """

    name: str
    moments: PersistentVector[Moment]
    inputs: PersistentVector[Entry]
    index: Index
    model: Model
    parent: str | None = None
    forked_at: int = 0
    edits: str = ""
    unfinished: Unfinished | None = None

    @property
    def start(self) -> Run:
        """The run before anything was put in."""
        is_first = bool(self.inputs) and self.inputs[0].at == 0
        return self.inputs[0].before if is_first else self.moments[0].run

    def moment_at(self, at: int, inputs: int) -> Moment:
        """A moment as it was after so many inputs: each input changes the run at its moment."""
        is_last = inputs == len(self.inputs) or self.inputs[inputs].at != at
        return self.moments[at] if is_last else replace(self.moments[at], run=self.inputs[inputs].before)

    def upto(self, at: int, inputs: int) -> Branch:
        """The branch as it was at a moment, after so many inputs."""
        there = self.moment_at(at, inputs)
        moments = self.moments.take(at + 1)
        if there is not self.moments[at]:
            moments = self.moments.take(at).append(there)
        return replace(self, moments=moments, inputs=self.inputs.take(inputs), index=self.index_at(at))

    def index_at(self, moment: int) -> Index:
        """The index as it was at a moment."""
        if moment == len(self.moments) - 1:
            return self.index
        return self.index.upto(moment, lambda at: self.moments[at].step)

    def states_at(self, moment: int) -> dict[Kind, Mapping[str, Any]]:
        """The states at a moment by stream id, apart for each kind of lane."""
        stack = self.moments[moment].stack
        return {
            "aggregate": stack.aggregates,
            "process manager": stack.process_managers,
            "projection": self.index.projected_at(moment),
        }

    def __repr__(self) -> str:
        origin = f", left {self.parent} at moment {self.forked_at}" if self.parent else ""
        return f"Branch({self.name!r}, {plural(len(self.moments), 'moment')}{origin})"


_NO_PREVIEWS = Slot[bool](most=1)


class BranchMap(Mapping[str, Branch]):
    """The branches by name, the oldest first.

    ``kept`` are the branches as they were when the current one was entered. The current one lies over them,
    so that a step copies nothing.
    """

    __slots__ = ("kept", "current")

    def __init__(self, kept: Mapping[str, Branch], current: Branch) -> None:
        self.kept, self.current = kept, current

    def __getitem__(self, name: str) -> Branch:
        return self.current if name == self.current.name else self.kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def on(self, branch: Branch) -> BranchMap:
        """The branches with this one, which may be new or have grown, as the current one."""
        if branch.name == self.current.name:
            return BranchMap(self.kept, branch)
        return BranchMap({**self.kept, self.current.name: self.current, branch.name: branch}, branch)


class Trace:
    """The moments of the current branch, read like a sequence; the other branches are kept beside it.

    ``memo`` keeps what was worked out about the moments. A trace that grows or forks passes it on.
    """

    __slots__ = ("branch", "branches", "memo")

    branch: Branch
    branches: BranchMap
    memo: Memo

    def __init__(self, branch: Branch, others: BranchMap | None = None, memo: Memo | None = None) -> None:
        self.branch, self.memo = branch, Memo() if memo is None else memo
        self.branches = BranchMap({branch.name: branch}, branch) if others is None else others.on(branch)

    @classmethod
    def of(cls, start: Stack | Run, model: Model | None = None) -> Trace:
        """A trace in which nothing has happened yet to that stack, or since that run."""
        if is_a(start, Run):
            check_run("Trace.of(start)", start)
        given: Any = start
        run = replace(given, length=0) if is_a(given, Run) else begin(given)
        model = Model() if model is None else model
        index = Index.of(run.stack, model.projections)
        return cls(Branch(MAIN, PersistentVector([Moment(None, run)]), PersistentVector(), index, model))

    @property
    def has_previews(self) -> bool:
        """Whether the model may be asked what its pending commands would lead to."""
        return not self.memo.recall(_NO_PREVIEWS)

    def switch_off_previews(self) -> None:
        """Ask the model for no previews, on any branch of this trace."""
        self.memo.keep(_NO_PREVIEWS, True)

    @property
    def index(self) -> Index:
        """What is where in the current branch."""
        return self.branch.index

    @property
    def last(self) -> int:
        """The index of the latest moment: the frontier."""
        return len(self.branch.moments) - 1

    @property
    def steps(self) -> Iterator[Step]:
        """The steps of the current branch, in order."""
        return (moment.step for moment in self.branch.moments.iterate(1) if moment.step is not None)

    def find(self, moment: int | Moment) -> tuple[Trace, int]:
        """Find a moment by its index on this branch, or find one of any branch: the trace, and the index."""
        if not is_a(moment, Moment):
            index = a_whole_number("at(moment)", moment, low=None)
            return self, self[index].index
        given: Any = moment
        for branch in (self.branch, *self.branches.values()):
            if given.index < len(branch.moments) and is_same_moment(branch.moments[given.index], given):
                return self.on(branch), given.index
        raise InvalidValue(
            f"at(moment): moment {given.index:,} is of another run; give a moment of this lab, as in "
            "lab.trace[60], or an index"
        )

    def command_end(self, start: int) -> int:
        """The last moment of the command that was dispatched at a moment."""
        dispatched, start = self.index.dispatched, a_whole_number("command_end(start)", start)
        following = bisect_right(dispatched, start)
        return dispatched[following] - 1 if following < len(dispatched) else self.last

    def append(self, step: Step, run: Run) -> Trace:
        """The trace with a further moment."""
        branch = self.branch
        an_instance("append(step)", step, Step, "advance(run)")
        an_instance("append(run)", run, Run, "advance(run)")
        moments = branch.moments.append(branch.moments[-1].then(step, run))
        index = branch.index.by_others(step, run.stack.event_store)
        index = index.add(step, lambda at: moments[at].step)
        return self.on(replace(branch, moments=moments, index=index))

    def on(self, branch: Branch) -> Trace:
        """The trace on a branch of its own, which may be new or have grown."""
        an_instance("on(branch)", branch, Branch, "trace.branches['main']")
        return Trace(branch, self.branches, self.memo)

    def put(self, at: int, entry: Input) -> Trace:
        """The trace with an input at a moment: on this branch at its frontier, on another one before it.

        The other branch is a new one, or the one that began here with the same input.
        """
        at = a_whole_number("put(at)", at, high=self.last)
        moment = self[at] if at == self.last else self.branch.moment_at(at, self._inputs_at(at))
        if not has(entry, "put"):
            raise wrong("put(entry)", entry, "an input, as in Submitted((command,))")
        settled, run = entry.put(moment.run)
        if at < self.last and (known := self._that_did(settled, at, moment.run)) is not None:
            return self.on(known)
        branch = self.branch if at == self.last else self._forked(at, self.free_name())
        moments = branch.moments.take(at).append(replace(moment, run=run))
        given = Entry(settled, at, self._after(at), moment.run)
        return self.on(replace(branch, moments=moments, inputs=branch.inputs.append(given)))

    def recorded_since(self, at: int) -> int:
        """How many events were recorded since a moment in the very store that it has: none is taken back.

        Always 0 with a store that is a value: there, what was recorded since is in another one. A store that
        keeps what is recorded is the same on all branches and at all moments.
        """
        at = a_whole_number("recorded_since(at)", at, high=self.last)
        store = self[at].stack.event_store
        if not all(self[moment].stack.event_store is store for moment in (0, self.last)):
            return 0
        sharing = (b for b in self.branches.values() if b.moments[-1].stack.event_store is store)
        most = max([len(branch.index.events) for branch in sharing], default=0)
        return max(most - self.index.events_at(at), 0)

    def switch(self, name: str) -> Trace:
        """The trace with another of its branches as the current one."""
        return self.on(self.branch_named(name))

    def fork(self, at: int, name: str | None = None) -> Trace:
        """The trace with a new branch, which has the moments up to this one, as the current branch."""
        at = a_whole_number("fork(at)", at, high=self.last)
        return self.on(self._forked(at, self.free_name() if name is None else self.checked_name(name)))

    def rename(self, old: str, new: str) -> Trace:
        """The trace with another name for one of its branches."""
        branch, name = self.branch_named(old), self.checked_name(new)
        renamed: dict[str, Branch] = {}
        for each in self.branches.values():
            if each is branch:
                renamed[name] = replace(each, name=name)
            else:
                renamed[each.name] = replace(each, parent=name) if each.parent == branch.name else each
        return self._with(renamed, name if self.branch.name == branch.name else self.branch.name)

    def remove(self, name: str) -> Trace:
        """The trace without a branch; what left this branch left its parent then. Refuses the current one."""
        branch = self.branch_named(name)
        if branch.name == self.branch.name:
            raise InvalidValue(
                f"remove({branch.name!r}): this branch is looked at; switch to another one first, as in "
                "lab.switch(...)"
            )
        left = {
            each.name: each
            if each.parent != branch.name
            else replace(each, parent=branch.parent, forked_at=min(each.forked_at, branch.forked_at))
            for each in self.branches.values()
            if each is not branch
        }
        return self._with(left, self.branch.name)

    def free_name(self, wanted: str = "") -> str:
        """A name that no branch has: what is wanted, with a number if it is taken; else as in "branch 2"."""
        wanted = a_text("free_name(wanted)", wanted, "'what if'")
        if wanted and wanted not in self.branches:
            return wanted
        name, first = (wanted, 2) if wanted else ("branch", len(self.branches))
        return next(free for n in count(first) if (free := f"{name} {n}") not in self.branches)

    def checked_name(self, name: Any) -> str:
        """A name for a new branch; raises `InvalidValue` where it is taken or no text."""
        text = a_text("a branch's name", name, "'what if'").strip()
        if not text or len(text) > _LONGEST_NAME:
            raise wrong(
                "a branch's name", name, f"a text of 1 to {_LONGEST_NAME} characters, as in 'what if'"
            )
        if text in self.branches:
            raise InvalidValue(f"the name {text!r} is taken; there are: {', '.join(self.branches)}")
        return text

    @overload
    def __getitem__(self, index: int) -> Moment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Moment, ...]: ...
    def __getitem__(self, index: int | slice) -> Moment | tuple[Moment, ...]:
        if type(index) is int and 0 <= index <= self.last:
            return self.branch.moments[index]
        if type(index) is not int and type(index) is not slice:
            index = a_whole_number("trace[index]", index, low=None)
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise OutOfRange(
                f"there is no moment {repr_of(index)}; the trace has the moments 0 to {self.last} "
                "(goto(-1) goes to the last one)"
            )
        return self.branch.moments[index]

    def __len__(self) -> int:
        return len(self.branch.moments)

    def __iter__(self) -> Iterator[Moment]:
        return iter(self.branch.moments)

    def __repr__(self) -> str:
        others = f", {plural(len(self.branches), 'branch', 'branches')}" if len(self.branches) > 1 else ""
        return f"Trace({plural(len(self), 'moment')} on {self.branch.name!r}{others})"

    def _with(self, branches: Mapping[str, Branch], current: str) -> Trace:
        branch = branches[current]
        return Trace(branch, BranchMap(branches, branch), self.memo)

    def _after(self, at: int) -> AfterStep | None:
        step, start = self[at].step, self.index.command_start(at)
        return None if step is None else AfterStep(step.pending.command_id, at - max(start - 1, 0))

    def branch_named(self, name: Any) -> Branch:
        """The branch with that name; raises `InvalidValue` where there is none."""
        if not is_a(name, str) or str.__str__(name) not in self.branches:
            raise InvalidValue(f"there is no branch {repr_of(name)}; there are: {', '.join(self.branches)}")
        return self.branches[str.__str__(name)]

    def _that_did(self, given: Input, at: int, run: Run) -> Branch | None:
        """The branch that began at a moment of this one with the same input, and no other one there."""
        count = self._inputs_at(at)
        for branch in self.branches.values():
            inputs = branch.inputs
            if (
                len(inputs) > count
                and inputs[count].before is run
                and _is_same_input(inputs[count].input, given)
            ) and (len(inputs) == count + 1 or inputs[count + 1].at != at):
                return branch
        return None

    def _inputs_at(self, at: int) -> int:
        """How many inputs the branch had at a moment, without a wait that was put there."""
        inputs = self.branch.inputs
        count = bisect_right(inputs, at, key=_at)
        is_waiting = self[at].run.wait is not None and isinstance(inputs[count - 1].input, Waited)
        return count - is_waiting

    def _forked(self, at: int, name: str) -> Branch:
        branch = self.branch.upto(at, self._inputs_at(at))
        return replace(
            branch, name=name, parent=self._owner(at).name, forked_at=at, edits="", unfinished=None
        )

    def _owner(self, at: int) -> Branch:
        """The branch that made a moment of the current one: this one, or an ancestor that has it too."""
        branch = self.branch
        while branch.parent is not None and at < branch.forked_at:
            branch = self.branches[branch.parent]
        return branch


def _at(entry: Entry) -> int:
    return entry.at


def shared_length(one: Sequence[T], other: Sequence[T], is_same: Callable[[T, T], bool] = is_) -> int:
    """How many items two branches share from their beginning, by halving."""
    numbers = range(min(len(one), len(other)))
    return bisect_left(numbers, True, key=lambda number: not is_same(one[number], other[number]))


def _is_same_input(one: Input, other: Input) -> bool:
    """Whether two inputs do the same; what is put in again has other ids."""
    if isinstance(one, Submitted) and isinstance(other, Submitted):
        return are_equal((one.commands, one.metadata), (other.commands, other.metadata))
    if isinstance(one, Armed) and isinstance(other, Armed):
        return are_equal(one.fault, other.fault)
    if isinstance(one, Waited) and isinstance(other, Waited):
        return one.to == other.to
    return are_equal(one, other)


def is_same_moment(one: Moment, other: Moment) -> bool:
    """Whether two moments are the same one: a step is made once; an input may change the agenda after it."""
    return one.stack is other.stack if one.step is None else one.step is other.step
