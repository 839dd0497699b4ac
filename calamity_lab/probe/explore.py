"""Exploring: every order in which the commands of a model may happen, and the states that they lead to.

A choice is one whole command: its decision, its append, and what process managers make of it. Two states are
the same when aggregates, process managers, pending commands (in any order) and deadlines (by how far off)
are the same; ids, times, versions and the history do not count. The clock stands still while commands are
carried out, so that all that happens between two waits happens at one time. All of it drives `advance`. The
model is pure, so a callback that was asked the same before is not asked again.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from random import Random
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import CalamityError, InvalidValue, ModelError, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import are_equal, words_of
from calamity_lab.kernel.clocks_and_ids import NumberedIds, TickingClock, read
from calamity_lab.kernel.faults import Fault, Lose, Redeliver, arm
from calamity_lab.kernel.folding import begun
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL, BACKWARDS
from calamity_lab.kernel.run import Run, advance, wait
from calamity_lab.kernel.schema import fields_of
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import Appended, Completed, Injected, Step
from calamity_lab.probe.states import Digests, Values
from calamity_lab.text import format_value, plural
from calamity_lab.trace.muted_output import muted_output

Strategy = Literal["breadth", "depth"]
Time = Literal["any", "idle"]
"""When time may pass to the next deadline: at any moment, or only when nothing else can happen."""

Predicate = Callable[[Stack], Any]
Held = tuple[Run, tuple[int, ...]]
Offer = Callable[[Stack], Iterable[Any]]

# How much of the longest path is followed to see what grew, and how much of that is named.
_FOLLOWED, _GROWN = 1_000, 3
_THAT_RECORD = (Appended, Injected)


class ExploredChoice(NamedTuple):
    """A choice as it is in every run: a command, who sent it, and whether it was offered or pending.

    ``fault`` is what goes wrong meanwhile; where the fault stands for itself, it is the ``command``, too.
    ``deadline`` is the name of a deadline whose command it is; with ``waits``, time passes before.
    """

    command: Any
    sender: str | None = None
    is_offered: bool = False
    fault: Fault | None = None
    deadline: str | None = None
    waits: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether a fault happens while no command is in progress."""
        return self.command is self.fault

    @property
    def label(self) -> str:
        """The choice in words."""
        if self.is_fault:
            return repr_of(self.command, 200)
        if self.waits:
            return f"time passes, then {format_value(self.command, 200)}"
        if self.fault is None:
            return format_value(self.command, 200)
        return f"{format_value(self.command, 200)}, with {format_value(self.fault, 200)}"


class _Next(NamedTuple):
    """A command that may come next, and the run in which it is next."""

    pending: Pending
    is_offered: bool
    run: Run


class Judged(NamedTuple):
    """What the predicates say of a state: broken invariants with errors, what came, what was reached."""

    broken: tuple[tuple[str, str], ...] = ()
    held: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()


class ChoiceMade(NamedTuple):
    """What a choice leads to: its ordinal, its number, and the run after it, or else an error."""

    ordinal: int
    way: int
    after: Run | None
    vector: tuple[int, ...]
    error: CalamityError | None = None


class BrokenAt(NamedTuple):
    """Where an invariant does not hold: the state, and the error where the invariant raised one.

    ``way`` is the choice after which a callback of the model raised: there is no state after it.
    """

    name: str
    state: int
    error: str = ""
    way: int | None = None


class Stuck(NamedTuple):
    """A state in which nothing can happen, though instances of process managers wait."""

    state: int
    instances: tuple[str, ...]
    pending: tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """What happened at all, in the model's words."""

    accepted: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    reasons: set[tuple[str, str]] = field(default_factory=set)
    reactions: set[tuple[str, str]] = field(default_factory=set)
    deadlines: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)

    def sets(self) -> tuple[set[Any], ...]:
        """The sets, in order."""
        return self.accepted, self.events, self.reasons, self.reactions, self.deadlines, self.met

    def add(self, more: Iterable[Iterable[Any]]) -> None:
        """Note what happened elsewhere, too: the members of the sets."""
        for mine, theirs in zip(self.sets(), more, strict=True):
            mine.update(theirs)


@dataclass(slots=True)
class MetElsewhere:
    """What another process has met so far, in the order in which it was met there.

    ``states`` are the numbers that its states have here, or -1 for a state that is not known here yet.
    """

    ways: list[int]
    states: array[int] = field(default_factory=lambda: array("i"))
    digests: list[int] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    happened: list[Sequence[Iterable[Any]] | None] = field(default_factory=list)


class FoundElsewhere(NamedTuple):
    """What another process found at a state, by the numbers that things have there; ``met`` has the things.

    Of each of the ``moves``: its ordinal, its choice, and the state after it, or -1 - n for the n-th error.
    ``happened`` is what happened, as in `Seen`; ``stands`` who waits, as `stands` has it.
    """

    met: MetElsewhere
    moves: Sequence[tuple[int, int, int]]
    happened: int
    stands: tuple[tuple[str, ...], tuple[str, ...]]


class _Raised(Exception):
    """A command could not be carried out, because a callback of the model failed."""

    def __init__(self, error: CalamityError) -> None:
        super().__init__(str(error))
        self.error = error


class Explorer:
    """The states that a run may come to, found one after another: the graph, and what is wrong in it.

    States are numbered from 0, the start, in the order in which they are found.
    """

    def __init__(
        self,
        start: Run,
        *,
        offer: Offer | None = None,
        invariants: Mapping[str, Predicate] | None = None,
        eventually: Mapping[str, Predicate] | None = None,
        sometimes: Mapping[str, Predicate] | None = None,
        faults: Sequence[Fault | type] = (),
        depth: int | None = None,
        strategy: Strategy = "breadth",
        by: Callable[[Stack], Any] | None = None,
        time: Time = "any",
    ) -> None:
        self.given = start
        now, _ = read(start.stack.clock)
        stands = TickingClock(now, timedelta(0))
        self.start = replace(start, stack=changed(start.stack, ids=NumberedIds(), clock=stands), wait=None)
        self._time = time
        self.most_depth, self.strategy = depth, strategy
        self._offer, self._by, self._faults = offer, by, tuple(faults)
        self.invariants, self._eventually = dict(invariants or {}), dict(eventually or {})
        self.sometimes = dict(sometimes or {})
        self.ways: list[ExploredChoice] = []
        # How each state was found: from which state, by which choice, and that choice's ordinal there.
        self.parents, self.reached_by, self.ordinals = array("i"), array("i"), array("i")
        self.depths = array("i")
        # Of each state the ways out of it: way, state, way, state, ...; None where it was not looked at.
        self.out: list[array[int] | None] = []
        self.transitions = 0
        self.broken: list[BrokenAt] = []
        self.stuck: list[Stuck] = []
        self.seen = Seen(deadlines={str(each.deadline) for each in start.stack.deadlines})
        self.reached: dict[str, int] = {}
        # Of each predicate, for each state: whether an invariant is broken, whether what must come is there.
        self.bad: dict[str, bytearray] = {name: bytearray() for name in self.invariants}
        self.held: dict[str, bytearray] = {name: bytearray() for name in self._eventually}
        self.values = Values()
        self._ways: dict[Any, int] = {}
        self._states: dict[Hashable, int] = {}
        # The first number of a state is not that of a stream: its bits say which faults have happened.
        self._slots: dict[tuple[str, bool], int] = {("", False): 0}
        self._slot_names: list[tuple[str, bool]] = [("", False)]
        self._bases: list[int] = [-1]
        # The states to look at, in order, each with its run and its numbers; without these where another
        # process has the run. And how many were not looked at, since they are as deep as was asked for.
        self.waiting: deque[tuple[int, Any, tuple[int, ...]]] = deque()
        self.cut = 0
        self._known: set[str] = set()
        # The names of the predicates, and the number of the one that is being asked (0: none), at `asked_at`.
        self._asked_names = ("", *self.invariants, *self._eventually, *self.sometimes)
        self.asked: Any = bytearray(1)
        self.asked_at = 0
        self._digests: Digests | None = None
        self._way_digests: list[int] = []
        self._by_digest: dict[int, int] = {}
        with ask.through(self.values.remembered):
            self._begin()

    @property
    def states(self) -> int:
        """How many different states were found."""
        return len(self.out)

    @property
    def depth(self) -> int:
        """How many choices lead to the state that is furthest from the start."""
        return max(self.depths)

    @property
    def is_complete(self) -> bool:
        """Whether all ways out of all states were followed."""
        return not self.waiting and not self.cut

    @property
    def left(self) -> int:
        """How many states wait to be looked at."""
        return len(self.waiting)

    @property
    def is_shared(self) -> bool:
        """Whether states are known by digests, which are the same in all processes."""
        return self._digests is not None

    @property
    def asking(self) -> str:
        """The name of the predicate that is being asked, or whose question was interrupted."""
        number: int = self.asked[self.asked_at]
        return self._asked_names[number]

    def go(
        self, limit: int, passing: Callable[[], object] = lambda: None, most_left: int | None = None
    ) -> None:
        """Look at further states, until there are so many, or none is left; ``passing`` hears of each.

        It ends, too, when so many states wait as ``most_left`` says.
        """
        self.asked[self.asked_at] = 0
        take = self.waiting.popleft if self.strategy == "breadth" else self.waiting.pop
        with ask.through(self.values.remembered), muted_output():
            while self.waiting and self.states < limit:
                if most_left is not None and self.left >= most_left:
                    break
                index, run, vector = waits = take()
                if self.is_too_deep(index):
                    self.cut += 1
                    continue
                try:
                    self._look_at(index, run, vector)
                except BaseException:
                    self._forget_halves()
                    self.out[index] = None
                    self.waiting.appendleft(waits)
                    raise
                passing()

    def growth(self) -> str:
        """What grew on the way to the state that is furthest from the start, in words.

        Where states are without end, it is what has no end.
        """
        streams: dict[str, set[Hashable]] = {}
        values: dict[str, dict[str, set[Hashable]]] = {}
        before: dict[str, Any] = {}
        most = 0
        for run in self._runs_to(self.depths.index(max(self.depths))):
            most = max(most, len(run.agenda))
            for stream_id, state in (*run.stack.aggregates.items(), *run.stack.process_managers.items()):
                if before.get(stream_id) is state:
                    continue
                before[stream_id] = state
                streams.setdefault(stream_id, set()).add(self._compared(state))
                of = values.setdefault(stream_id, {})
                for name, value in fields_of(state).items():
                    of.setdefault(name, set()).add(self._compared(value))
        grown = [_grown(name, held, values[name]) for name, held in streams.items() if len(held) > 1]
        parts = [words for _, words in sorted(grown, reverse=True)[:_GROWN]]
        new = Counter([name.partition("-")[0] for name in streams.keys() - self._at_start()])
        parts += [f"{count} streams of {name} came" for name, count in new.most_common(_GROWN) if count > 1]
        parts += [f"{plural(most, 'command')} pending at once"] if most else []
        return (
            f"on the longest path ({plural(max(self.depths), 'command')}) " + ", ".join(parts)
            if parts
            else ""
        )

    def _compared(self, value: Any) -> Hashable:
        try:
            return self.values.frozen(value, "")
        except InvalidValue:  # it equals only itself
            return object()

    def _at_start(self) -> set[str]:
        stack = self.start.stack
        return {*stack.aggregates, *stack.process_managers}

    def _runs_to(self, state: int) -> Iterator[Run]:
        """The runs on the way to a state, the start first; of a long way, the beginning."""
        ordinals = []
        while state:
            ordinals.append(self.ordinals[state])
            state = self.parents[state]
        run, vector = self.first
        yield run
        seen, self.seen = self.seen, Seen()
        with ask.through(self.values.remembered), muted_output():
            for ordinal in ordinals[: -_FOLLOWED - 1 : -1]:
                run, vector = self.after(run, vector, ordinal)
                yield run
        self.seen = seen

    def path(self, state: int) -> tuple[ExploredChoice, ...]:
        """The choices that led to a state when it was found; from the start, the first one first."""
        found = []
        while state:
            found.append(self.ways[self.reached_by[state]])
            state = self.parents[state]
        return tuple(found[::-1])

    def states_on_path(self, state: int) -> list[int]:
        """The states from the start to this one."""
        found = [state]
        while state:
            state = self.parents[state]
            found.append(state)
        return found[::-1]

    def ways_out(self, state: int) -> Iterator[tuple[ExploredChoice, int]]:
        """The choices in a state, each with the state that it leads to."""
        out = self.out[state] or ()
        for n in range(0, len(out), 2):
            yield self.ways[out[n]], out[n + 1]

    def _begin(self) -> None:
        stack = self.start.stack
        vector = [0]
        for store in () if self._by is not None else (stack.aggregates, stack.process_managers):
            for stream_id, state in store.items():
                slot = self._slot(stream_id, state, store is stack.process_managers)
                vector += [0] * (slot + 1 - len(vector))
                vector[slot] = self._number(slot, stream_id, state)
        known = _trimmed(vector)
        self._add(self._key(self.start, known), self.start, known, -1, -1, -1)
        self.first: Held = self.waiting[0][1:]  # the run of the start, and the numbers of its state
        self._walk: tuple[int, int, Run, tuple[int, ...]] | None = None

    def _slot(self, stream_id: str, state: Any, is_instance: bool) -> int:
        slot = self._slots.setdefault((stream_id, is_instance), len(self._slots))
        if slot == len(self._bases):
            self._slot_names.append((stream_id, is_instance))
            # An aggregate that is as `new` made it is as good as absent.
            self._bases.append(-1 if is_instance else self._base(stream_id, state))
        return slot

    def _base(self, stream_id: str, state: Any) -> int:
        identity = Identity.parse(stream_id)
        try:
            return self.values.number(begun(Identity(type(state), identity.id)), stream_id)
        except CalamityError:  # the id is of another type than `new` takes: then none is absent
            return -1

    def _number(self, slot: int, stream_id: str, state: Any) -> int:
        if state is None:
            return 0
        number = self.values.number(state, stream_id)
        return 0 if number == self._bases[slot] else number + 1

    def _key(self, run: Run, vector: tuple[int, ...]) -> Hashable:
        key = self.key(run, vector)
        return key if self._digests is None else self._digest(self._digests, self._way_digests, key)

    def key(self, run: Run, vector: tuple[int, ...]) -> Hashable:
        """What is equal for two states that are the same, in this process; see `digest` for all processes."""
        if self._by is not None:
            return vector, self._by_what(run.stack)
        if run.agenda or run.stack.deadlines:
            pending = tuple(sorted([self._way_of(each) for each in run.agenda.entries()]))
            return vector, pending, *self._how_far_off(run.stack)
        return vector

    def _how_far_off(self, stack: Stack) -> tuple[Any, ...]:
        """The deadlines, where there are any; those that are due at once in the order of setting."""
        if not stack.deadlines:
            return ()
        now, _ = read(stack.clock)
        return (tuple([(each.due_at - now, self._way_of(each)) for each in stack.deadlines]),)

    def _way_of(self, pending: Pending, *, waits: bool = False) -> int:
        """The number of the choice of a pending command, or of a deadline."""
        if pending.deadline is None:
            return self._way(pending.command, pending.sender)
        return self._way(pending.command, pending.sender, deadline=pending.deadline, waits=waits)

    def _by_what(self, stack: Stack) -> Hashable:
        assert self._by is not None
        try:
            return self.values.frozen(self._by(stack), "by")
        except InvalidValue:
            raise
        except Exception as error:
            raise InvalidValue(
                f"explore(by): the function raised {words_of(error)}; give a function of the stack"
            ) from error

    def _way(
        self,
        command: Any,
        sender: Identity | None = None,
        is_offered: bool = False,
        fault: Fault | None = None,
        at: int = -1,
        deadline: str | None = None,
        waits: bool = False,
    ) -> int:
        """The number of a choice; ``at`` is that of its fault."""
        name = None if sender is None else sender.stream_id
        number = repr(command) if command is fault else self.values.number(command, "a command")
        key = number, name, is_offered, at, deadline, waits
        known = self._ways.get(key)
        if known is None:
            choice = ExploredChoice(command, name, is_offered, fault, deadline, waits)
            known = self._ways[key] = self._new_way(key, choice)
        return known

    def _new_way(self, key: tuple[Any, ...], choice: ExploredChoice) -> int:
        if isinstance(choice.command, Lose):  # without an id, which differs from run to run
            lost = Lose(choice.command.command)
            choice = choice._replace(command=lost, fault=lost)
        if self._digests is not None:
            digest = self._way_digest(self._digests, key)
            known = self._by_digest.get(digest)  # another process may have found it
            return self.note_way(digest, choice) if known is None else known
        self.ways.append(choice)
        return len(self.ways) - 1

    def _add(
        self, key: Hashable, run: Run, vector: tuple[int, ...], parent: int, way: int, ordinal: int
    ) -> int:
        return self._note(key, self.judged(run.stack), (run, vector), parent, way, ordinal)

    def judged(self, stack: Stack) -> Judged:
        """What the predicates say of a state."""
        asked, at, number = self.asked, self.asked_at, 0
        broken, held, reached = [], [], []
        for name, holds in self.invariants.items():
            asked[at] = number = min(number + 1, 255)
            answer, error = _asked(holds, stack)
            if not answer:
                broken.append((name, error))
        for name, holds in self._eventually.items():
            asked[at] = number = min(number + 1, 255)
            if _asked(holds, stack)[0]:
                held.append(name)
        for name, holds in self.sometimes.items():
            asked[at] = number = min(number + 1, 255)
            if name not in self.reached and _asked(holds, stack)[0]:
                reached.append(name)
        asked[at] = 0
        return Judged(tuple(broken), tuple(held), tuple(reached))

    def _note(
        self, key: Hashable, judged: Judged, held: tuple[Any, Any], parent: int, way: int, ordinal: int
    ) -> int:
        """Note a new state. An interrupt on the way leaves the state unknown: see `_forget_halves`."""
        index = len(self._states)
        self.out.append(None)
        self.parents.append(parent)
        self.reached_by.append(way)
        self.ordinals.append(ordinal)
        self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
        broken = dict(judged.broken)
        for name, bad in self.bad.items():
            bad.append(name in broken)
        for name, error in judged.broken:
            if name not in self._known:
                self._known.add(name)
                self.broken.append(BrokenAt(name, index, error))
        for name, came in self.held.items():
            came.append(name in judged.held)
        for name in judged.reached:
            self.reached.setdefault(name, index)
        self.waiting.append((index, *held))
        self._states[key] = index
        return index

    def _forget_halves(self) -> None:
        """Take back what an interrupt left of a state that was about to be noted."""
        count = len(self._states)
        by_name = [*self.bad.values(), *self.held.values()]
        noted: list[Any] = [self.out, self.parents, self.reached_by, self.ordinals, self.depths, *by_name]
        for each in noted:
            del each[count:]
        while self.waiting and self.waiting[-1][0] >= count:
            self.waiting.pop()
        for broken in [broken for broken in self.broken if broken.state >= count]:
            self.broken.remove(broken)
            self._known.discard(broken.name)
        self.reached = {name: state for name, state in self.reached.items() if state < count}

    def cut_off(self) -> None:
        """Leave out the first state that waits, since it is too deep."""
        self.waiting.popleft()
        self.cut += 1

    def is_too_deep(self, state: int) -> bool:
        """Whether a state is so far from the start that nothing after it is followed."""
        return self.most_depth is not None and self.depths[state] >= self.most_depth

    def _look_at(self, index: int, run: Run, vector: tuple[int, ...]) -> None:
        out: array[int] = array("i")
        for ordinal, way, after, new_vector, error in self.moves(run, vector):
            if after is None:
                self._note_raised(index, way, *explained(error))
                continue
            key = self._key(after, new_vector)
            target = self._states.get(key)
            if target is None:
                target = self._add(key, after, new_vector, index, way, ordinal)
            out.append(way)
            out.append(target)
        self.out[index] = out
        self.transitions += len(out) // 2
        if not out:
            self._note_stuck(index, *stands(run))

    def moves(self, run: Run, vector: tuple[int, ...]) -> Iterator[ChoiceMade]:
        """What each choice in a state leads to; a choice that leads to nothing is left out."""
        return self._made(self._with_time(run, vector))

    def _made(self, choices: Iterable[tuple[int, Run, tuple[int, ...]]]) -> Iterator[ChoiceMade]:
        leads_on = False
        for ordinal, (way, begun_run, before) in enumerate(choices):
            if begun_run.wait is not None and leads_on and self._time == "idle":
                return
            try:
                after, new_vector, is_nothing = self._whole(begun_run, before)
            except _Raised as raised:
                yield ChoiceMade(ordinal, way, None, before, raised.error)
                continue
            if not is_nothing:
                leads_on = True
                yield ChoiceMade(ordinal, way, after, new_vector)

    def after(self, run: Run, vector: tuple[int, ...], ordinal: int) -> tuple[Run, tuple[int, ...]]:
        """The run after the choice with that ordinal, and the numbers of its state."""
        _, begun_run, before = next(islice(self._with_time(run, vector), ordinal, None))
        return self._whole(begun_run, before)[:2]

    # States and choices as other processes know them.

    def share(self) -> None:
        """Know states and choices by digests from now on: they are the same in all processes."""
        if self._digests is not None:
            return
        digests = Digests()
        ways = [self._way_digest(digests, key) for key in self._ways]
        self._states = {self._digest(digests, ways, key): state for key, state in self._states.items()}
        self._way_digests = ways
        self._by_digest = {digest: number for number, digest in enumerate(ways)}
        self._digests = digests

    def digest(self, key: Hashable) -> int:
        """The digest of a state from its key; see `share`."""
        assert self._digests is not None, "share() comes first"
        return self._digest(self._digests, self._way_digests, key)

    def goes_on_alike(self, run: Run) -> bool:
        """Whether any run of the same state has the same choices in the same order."""
        return len(run.agenda) < 2 and not self._faults and self._by is None

    def ways_since(self, count: int) -> list[tuple[int, ExploredChoice]]:
        """The choices from that number on, each with its digest."""
        return list(zip(self._way_digests[count:], self.ways[count:], strict=True))

    def way_of(self, digest: int) -> int | None:
        """The number of the choice with that digest; None where it is not known here."""
        return self._by_digest.get(digest)

    def note_way(self, digest: int, way: ExploredChoice) -> int:
        """Note a choice that another process has found: its number."""
        number = self._by_digest[digest] = len(self.ways)
        self.ways.append(way)
        self._way_digests.append(digest)
        return number

    def merge(self, index: int, found: FoundElsewhere) -> list[tuple[int, int]]:
        """Take in what another process found at the first state that waits.

        Of each new state: its number, and which of the moves led to it.
        """
        waits = self.waiting.popleft()
        out: array[int] = array("i")
        new = []
        met = found.met
        states = met.states
        try:
            for n, (ordinal, way, number) in enumerate(found.moves):
                if number < 0:
                    self._note_raised(index, met.ways[way], *met.errors[-1 - number])
                    continue
                if states[number] < 0:
                    known = self._states.get(met.digests[number])
                    if known is None:
                        judged, held = met.judged[number], (None, ())
                        known = self._note(met.digests[number], judged, held, index, met.ways[way], ordinal)
                        new.append((known, n))
                    states[number] = known
                out.append(met.ways[way])
                out.append(states[number])
        except BaseException:
            self._forget_halves()
            self.waiting.appendleft(waits)
            raise
        self.out[index] = out
        self.transitions += len(out) // 2
        happened = met.happened[found.happened]
        if happened is not None:
            self.seen.add(happened)
            met.happened[found.happened] = None  # the same need not be noted again
        if not out:
            self._note_stuck(index, *found.stands)
        return new

    def _way_digest(self, digests: Digests, key: tuple[Any, ...]) -> int:
        number, *rest = key
        text = number if type(number) is str else self.values.numbered(number)
        return digests.of(self.values.frozen(text, "a command"), *rest)

    def _digest(self, digests: Digests, ways: Sequence[int], key: Any) -> int:
        """The digest of a state from its key."""
        vector, pending, *off = key if type(key[0]) is tuple else (key, ())
        parts = [
            digests.part(slot, number, self._part) for slot, number in enumerate(vector) if number and slot
        ]
        if self._by is not None:
            return digests.joined(vector[0], [*parts, digests.of("by", pending)])
        parts += [ways[way] for way in pending]
        for deadlines in off:
            far = [(each.days, each.seconds, each.microseconds, ways[way]) for each, way in deadlines]
            parts.append(digests.of("deadlines", *far))
        return digests.joined(vector[0], parts)

    def _part(self, slot: int, number: int) -> tuple[Any, ...]:
        """Whose state has that number in that slot, and the state."""
        stream_id, is_instance = self._slot_names[slot]
        return stream_id, is_instance, self.values.frozen(self.values.numbered(number - 1), stream_id)

    def _with_time(self, run: Run, vector: tuple[int, ...]) -> Iterator[tuple[int, Run, tuple[int, ...]]]:
        """What may happen next, and last that time passes, where a deadline is set."""
        yield from self._choices(run, vector)
        following = run.stack.deadlines.first
        if following is not None:
            yield self._way_of(following, waits=True), wait(run, first=following.command_id), vector

    def _choices(self, run: Run, vector: tuple[int, ...]) -> Iterator[tuple[int, Run, tuple[int, ...]]]:
        """What may happen next: each choice, the run in which it is next, and the numbers of the state."""
        plain = self._commands(run)
        for way, (_, _, begun_run) in plain.items():
            yield way, begun_run, vector
        happened = vector[0] if vector else 0
        for at, fault in enumerate(self._faults):
            if happened >> at & 1:
                continue
            before = (happened | 1 << at, *vector[1:])
            for each, sender in _alone(fault, run):
                yield self._way(each, sender, False, each, at), arm(run, each), before
            if isinstance(fault, Fault) and not isinstance(fault, (Lose, Redeliver)):
                for pending, is_offered, begun_run in plain.values():
                    of = pending.command, pending.sender, is_offered, fault, at, pending.deadline
                    yield self._way(*of), arm(begun_run, fault), before

    def _commands(self, run: Run) -> dict[int, _Next]:
        """The commands that may come next, by the numbers of these choices."""
        found: dict[int, _Next] = {}
        for n, pending in enumerate(run.agenda.entries()):
            way = self._way_of(pending)
            if way not in found:
                next_ = run if n == 0 else run.choose(n)
                found[way] = _Next(pending, False, next_)
        for offered in () if self._offer is None else self._offered(run.stack):
            way = self._way(offered, None, True)
            if way not in found:
                command = self.ways[way].command  # the same object each time, so that answers are found again
                given = run.submit(command)
                next_ = given if not run.agenda else given.choose(-1)
                found[way] = _Next(next(next_.agenda.entries()), True, next_)
        return found

    def _offered(self, stack: Stack) -> Iterable[Any]:
        assert self._offer is not None
        try:
            return tuple(self._offer(stack))
        except Exception as error:
            raise InvalidValue(
                f"explore(commands): the function raised {words_of(error)}; give a list of commands, or a "
                "function of the stack that returns one"
            ) from error

    def _whole(self, run: Run, vector: tuple[int, ...]) -> tuple[Run, tuple[int, ...], bool]:
        """A whole command: the run after it, the numbers of its states, and whether nothing came of it."""
        touched: set[tuple[str, bool]] = set()
        run, caused = self._later(run)
        rejected = None
        while True:
            try:
                step, run = advance(run)
            except CalamityError as error:
                raise _Raised(error) from error
            if step.__class__ in _THAT_RECORD or step.at_process_manager:
                caused = self._noted(step, touched) or caused
            elif step.rejected is not None:
                rejected = step.rejected
            if step.ends:
                break
        if run.faults:  # the fault did not fit
            return run, vector, True
        name = step.pending.command_type
        if rejected is not None:
            self.seen.reasons.add((name, format_value(rejected.reason, 200)))
        elif step.__class__ is Completed:
            self.seen.accepted.add(name)
        if self._by is not None:
            return run, vector, rejected is not None and not caused and not touched
        after = self._after(run, vector, touched) if touched else vector
        return run, after, rejected is not None and not caused and after == vector

    def _later(self, run: Run) -> tuple[Run, bool]:
        """The run in which time has passed, if it is to pass, and whether it did."""
        if run.wait is None:
            return run, False
        step, run = advance(run)
        self.seen.met.update([str(each.deadline) for each in step.commands])
        return run, True

    def _noted(self, step: Step, touched: set[tuple[str, bool]]) -> bool:
        """Note whose state a step changes; whether it sent commands."""
        if step.__class__ in _THAT_RECORD:
            self.seen.events.update([recorded.event_type for recorded in step.recorded])
        if step.stream_id is not None:
            touched.add((step.stream_id, step.at_process_manager))
            if step.at_process_manager:
                self.seen.reactions.add((step.stream_id.partition("-")[0], step.verb))
        if not step.deadlines and not step.taken_off:
            return bool(step.commands)
        self.seen.deadlines.update([str(each.deadline) for each in step.deadlines])
        return True

    def _after(self, run: Run, vector: tuple[int, ...], touched: set[tuple[str, bool]]) -> tuple[int, ...]:
        changed, stack = list(vector), run.stack
        for stream_id, is_instance in touched:
            state = (stack.process_managers if is_instance else stack.aggregates).get(stream_id)
            slot = self._slots.get((stream_id, is_instance))
            if slot is None:
                if state is None:
                    continue
                slot = self._slot(stream_id, state, is_instance)
            if slot >= len(changed):
                changed += [0] * (slot + 1 - len(changed))
            changed[slot] = self._number(slot, stream_id, state)
        return _trimmed(changed)

    def _note_raised(self, index: int, way: int, name: str, words: str) -> None:
        if name not in self._known:
            self._known.add(name)
            self.broken.append(BrokenAt(name, index, words, way))

    def _note_stuck(self, index: int, running: tuple[str, ...], pending: tuple[str, ...]) -> None:
        """Note a state in which nothing can happen, where something waits."""
        if running and all(each.state != index for each in self.stuck[-1:]):
            self.stuck.append(Stuck(index, running, pending))

    @property
    def all_break(self) -> bool:
        """Whether there is nothing left to find at random: every invariant breaks."""
        return len(self._known) >= max(len(self.invariants), 1)

    def walk(
        self, source: Random, limit: int, length: int, passing: Callable[[], object] = lambda: None
    ) -> None:
        """Go at random from the start, again and again, until so many choices were made.

        ``passing`` hears of each. Where it raises, the next call goes on from there.
        """
        with ask.through(self.values.remembered), muted_output():
            while limit > 0 and length > 0 and not self.all_break:
                made, state, run, vector = self._walk or (0, 0, *self.first)
                found = self._at_random(source, state, run, vector)
                is_over = found is None or made + 1 == length
                self._walk = None if is_over or found is None else (made + 1, *found)
                limit -= 1
                passing()

    def _at_random(
        self, source: Random, state: int, run: Run, vector: tuple[int, ...]
    ) -> tuple[int, Run, tuple[int, ...]] | None:
        """One choice at random: where it leads; None where nothing can happen."""
        open_ = list(self._with_time(run, vector))
        source.shuffle(open_)
        if self._time == "idle":
            open_.sort(key=lambda choice: choice[1].wait is not None)  # time passes last
        for _, way, after, new_vector, error in self._made(open_):
            if after is None:
                self._note_raised(state, way, *explained(error))
                continue
            key = self._key(after, new_vector)
            target = self._states.get(key)
            self.transitions += 1
            if target is None:
                target = self._add(key, after, new_vector, state, way, -1)
                self.waiting.clear()
            return target, after, new_vector
        self._note_stuck(state, *stands(run))
        return None

    def still_breaks(self, name: str, ways: Sequence[ExploredChoice]) -> tuple[ExploredChoice, ...] | None:
        """Those of the choices that can be made, up to where the invariant breaks; None where it does not."""
        run, vector = self.first
        made: list[ExploredChoice] = []
        with ask.through(self.values.remembered), muted_output():
            for wanted in ways:
                open_ = (each for each in self._with_time(run, vector) if self.ways[each[0]] is wanted)
                found = next(self._made(islice(open_, 1)), None)
                if found is None:
                    continue
                if found.after is None:
                    if found.error is not None and name_of(found.error) == name:
                        return (*made, wanted)
                    continue
                run, vector = found.after, found.vector
                made.append(wanted)
                if name in self.invariants and not _asked(self.invariants[name], run.stack)[0]:
                    return tuple(made)
        return None


def shrunk(explorer: Explorer, name: str, ways: Sequence[ExploredChoice]) -> tuple[ExploredChoice, ...]:
    """Fewer choices after which an invariant still breaks: no single one of them can be left out."""
    found = explorer.still_breaks(name, ways) or tuple(ways)
    size = max(len(found) // 2, 1)
    while True:
        at, is_shorter = 0, False
        while at < len(found):
            fewer = explorer.still_breaks(name, (*found[:at], *found[at + size :]))
            if fewer is not None and len(fewer) < len(found):
                found, is_shorter = fewer, True
            else:
                at += size
        if size == 1 and not is_shorter:
            return found
        size = max(size // 2, 1)


def _grown(stream_id: str, states: set[Hashable], values: Mapping[str, set[Hashable]]) -> tuple[int, str]:
    """How many states a stream had, and that in words, with the field that had the most values."""
    words = f"{stream_id} had {plural(len(states), 'different state')}"
    if values:
        name = max(values, key=lambda each: len(values[each]))
        words += f" and {plural(len(values[name]), 'value')} of {name}"
    return len(states), words


def stands(run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The instances of process managers that run, and the pending commands, in words."""
    return tuple(run.stack.process_managers), tuple([format_value(command, 200) for command in run.agenda])


def name_of(error: CalamityError) -> str:
    """What a callback that raised did not do, as the name of an invariant."""
    return f"{error.callback} raises no error" if isinstance(error, ModelError) else type(error).__name__


def explained(error: Any) -> tuple[str, str]:
    """An error of the model as the name of an invariant, and in words."""
    return name_of(error), words_of(error)


def lost(explorer: Explorer, bad: Sequence[int]) -> bytearray:
    """Which states are lost: bad ones, and those that can go on and from which every way on is lost.

    The least fixpoint: a state is lost once all that it leads to is. One that was not looked at is not lost
    unless it is bad.
    """
    left = [0 if out is None else len(out) // 2 for out in explorer.out]
    found = bytearray(bad)
    before = _ways_back(explorer)
    waiting = [state for state, is_bad in enumerate(found) if is_bad]
    while waiting:
        for earlier in before[waiting.pop()]:
            left[earlier] -= 1
            if not left[earlier] and not found[earlier]:
                found[earlier] = 1
                waiting.append(earlier)
    return found


def _ways_back(explorer: Explorer) -> list[list[int]]:
    before: list[list[int]] = [[] for _ in explorer.out]
    for state, out in enumerate(explorer.out):
        for target in (out or ())[1::2]:
            before[target].append(state)
    return before


class Unfulfilled(NamedTuple):
    """A way on which something never comes: it ends there, or goes round for ever from ``again`` on.

    ``states`` are those on the way, from the start; ``ways`` are the choices between them. ``again`` is the
    number of choices before those that repeat; None where the way ends.
    """

    states: tuple[int, ...]
    ways: tuple[ExploredChoice, ...]
    again: int | None = None


def unfulfilled(explorer: Explorer, held: Sequence[int]) -> Unfulfilled | None:
    """A shortest way to an end, or to a circle, on which what must come never comes; else None."""
    if held[0]:
        return None
    parents: dict[int, tuple[int, int]] = {0: (-1, -1)}
    found = deque([0])
    while found:
        state = found.popleft()
        out = explorer.out[state]
        if out is not None and not len(out):
            return Unfulfilled(*_way_to(explorer, parents, state))
        for n in range(0, len(out or ()), 2):
            way, target = out[n], out[n + 1]  # type: ignore[index]
            if target not in parents and not held[target]:
                parents[target] = state, way
                found.append(target)
    return _circle(explorer, parents)


def _circle(explorer: Explorer, parents: Mapping[int, tuple[int, int]]) -> Unfulfilled | None:
    """A way that goes round among these states, where there is one."""
    inside = {state: _inside(explorer, state, parents) for state in parents}
    before: dict[int, list[int]] = {state: [] for state in inside}
    for state, targets in inside.items():
        for _, target in targets:
            before[target].append(state)
    left = {state: len(targets) for state, targets in inside.items()}
    done = [state for state, count in left.items() if not count]
    while done:
        state = done.pop()
        del inside[state]
        for earlier in before[state]:
            left[earlier] -= 1
            if not left[earlier]:
                done.append(earlier)
    if not inside:
        return None
    state = next(iter(inside))
    seen: dict[int, int] = {}
    steps: list[tuple[int, int]] = []
    while state not in seen:
        seen[state] = len(steps)
        steps.append(next((way, target) for way, target in inside[state] if target in inside))
        state = steps[-1][1]
    states, ways = _way_to(explorer, parents, state)
    round_ = steps[seen[state] :]
    return Unfulfilled(
        (*states, *[target for _, target in round_]),
        (*ways, *[explorer.ways[way] for way, _ in round_]),
        len(ways),
    )


def _inside(explorer: Explorer, state: int, among: Mapping[int, Any]) -> list[tuple[int, int]]:
    out = explorer.out[state] or ()
    return [(out[n], out[n + 1]) for n in range(0, len(out), 2) if out[n + 1] in among]


def _way_to(
    explorer: Explorer, parents: Mapping[int, tuple[int, int]], state: int
) -> tuple[tuple[int, ...], tuple[ExploredChoice, ...]]:
    states, ways = [state], []
    while state:
        state, way = parents[state]
        states.append(state)
        ways.append(explorer.ways[way])
    return tuple(states[::-1]), tuple(ways[::-1])


def _alone(fault: Fault | type, run: Run) -> list[tuple[Fault, Identity | None]]:
    """The faults that may happen now, while no command is in progress, each with whom it concerns.

    A class stands for all that fit: each command that a process manager sent may be lost, and the latest
    event may be handed on again.
    """
    if _is_kind(fault, Lose):
        wanted: Any = fault.command if isinstance(fault, Lose) else object
        sent = [each for each in run.agenda.entries() if each.sender is not None]
        return [(Lose(each), each.sender) for each in sent if _is_meant(each.command, wanted)]
    if _is_kind(fault, Redeliver):
        wanted = fault.event if isinstance(fault, Redeliver) else object
        latest = run.stack.event_store.stream(ALL, direction=BACKWARDS)
        newest = next((each for each in latest if _is_meant(each.event, wanted)), None)
        return [] if newest is None else [(Redeliver(newest), None)]
    return []


def _is_kind(fault: Fault | type, kind: type[Fault]) -> bool:
    return isinstance(fault, kind) or fault is kind


def _is_meant(message: Any, wanted: Any) -> bool:
    return isinstance(message, wanted) if isinstance(wanted, type) else are_equal(message, wanted)


def _trimmed(vector: list[int]) -> tuple[int, ...]:
    while len(vector) > 1 and not vector[-1]:
        vector.pop()
    return tuple(vector)


def _asked(holds: Predicate, stack: Stack) -> tuple[bool, str]:
    """Whether a predicate holds, and the error where it raised one: then it does not hold."""
    try:
        return bool(holds(stack)), ""
    except Exception as error:  # noqa: BLE001 - what a predicate raises is shown with its name
        return False, words_of(error)
