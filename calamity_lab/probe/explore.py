"""Exploring: every order in which the commands of a model may happen, and the states that they lead to.

A choice is one whole command: its decision, its append, and what process managers make of it. Two states are
the same when aggregates, process managers and pending commands (in any order) are the same; ids, times,
versions and the history do not count. All of it drives `advance`. The model is pure, so a callback that was
asked the same before is not asked again.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple, cast

from calamity_lab.errors import CalamityError, InvalidValue, ModelError
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import are_equal, words_of
from calamity_lab.kernel.faults import Fault, Lose, Redeliver, arm
from calamity_lab.kernel.folding import begun
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL, BACKWARDS
from calamity_lab.kernel.run import Run, advance
from calamity_lab.kernel.schema import fields_of
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import Appended, Completed, Injected, Step
from calamity_lab.probe.states import Values
from calamity_lab.text import format_value, plural
from calamity_lab.trace.muted_output import muted_output

Strategy = Literal["breadth", "depth"]
Predicate = Callable[[Stack], Any]
Offer = Callable[[Stack], Iterable[Any]]

_THAT_RECORD = (Appended, Injected)


class ExploredChoice(NamedTuple):
    """A choice as it is in every run: a command, who sent it, and whether it was offered or pending.

    ``fault`` is what goes wrong meanwhile; where the fault stands for itself, it is the ``command``, too.
    """

    command: Any
    sender: str | None = None
    is_offered: bool = False
    fault: Fault | None = None

    @property
    def is_fault(self) -> bool:
        """Whether a fault happens while no command is in progress."""
        return self.command is self.fault

    @property
    def label(self) -> str:
        """The choice in words."""
        if self.fault is None or self.is_fault:
            return format_value(self.command, 200)
        return f"{format_value(self.command, 200)}, with {format_value(self.fault, 200)}"


class _Numbered(NamedTuple):
    """Ids as plain numbers: they are no part of a state, and cost little."""

    drawn: int = 0

    def draw(self, count: int) -> tuple[tuple[str, ...], _Numbered]:
        upto = self.drawn + count
        return tuple([f"id-{n}" for n in range(self.drawn, upto)]), _Numbered(upto)


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
    ) -> None:
        self.given = start
        self.start = start._replace(stack=changed(start.stack, ids=_Numbered()))
        self.most_depth, self.strategy = depth, strategy
        self._offer, self._by, self._faults = offer, by, tuple(faults)
        self.invariants, self._eventually = dict(invariants or {}), dict(eventually or {})
        self.sometimes = dict(sometimes or {})
        self.ways: list[ExploredChoice] = []
        self.parents, self.reached_by, self.depths = array("q"), array("q"), array("q")
        # Of each state the ways out of it: way, state, way, state, ...; None where it was not looked at.
        self.out: list[array[int] | None] = []
        self.transitions = 0
        self.broken: list[BrokenAt] = []
        self.stuck: list[Stuck] = []
        self.seen = Seen()
        self.reached: dict[str, int] = {}
        # Of each predicate, for each state: whether an invariant is broken, whether what must come is there.
        self.bad: dict[str, bytearray] = {name: bytearray() for name in self.invariants}
        self.held: dict[str, bytearray] = {name: bytearray() for name in self._eventually}
        self.values = Values()
        self._ways: dict[Any, int] = {}
        self._states: dict[Hashable, int] = {}
        # The first number of a state is not that of a stream: its bits say which faults have happened.
        self._slots: dict[tuple[str, bool], int] = {("", False): 0}
        self._bases: list[int] = [-1]
        self._waiting: deque[tuple[int, Run, tuple[int, ...]]] = deque()
        self._cut = 0
        self._known: set[str] = set()
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
        return not self._waiting and not self._cut

    @property
    def left(self) -> int:
        """How many states wait to be looked at."""
        return len(self._waiting)

    @property
    def cut(self) -> int:
        """How many states were not looked at, since they are as deep as was asked for."""
        return self._cut

    def go(self, limit: int, passing: Callable[[], object] = lambda: None) -> None:
        """Look at further states, until there are so many, or none is left; ``passing`` hears of each."""
        take = self._waiting.popleft if self.strategy == "breadth" else self._waiting.pop
        with ask.through(self.values.remembered), muted_output():
            while self._waiting and self.states < limit:
                index, run, vector = waits = take()
                if self.most_depth is not None and self.depths[index] >= self.most_depth:
                    self._cut += 1
                    continue
                try:
                    self._look_at(index, run, vector)
                except BaseException:
                    self._forget_halves()
                    self.out[index] = None
                    self._waiting.appendleft(waits)
                    raise
                passing()

    def growth(self) -> str:
        """What has the most different values, in words: where states are without end, it is what grows."""
        if self._by is not None:
            return ""
        values: list[set[int]] = [set() for _ in self._slots]
        most = 0
        for key in cast("Iterable[Any]", self._states):
            vector, pending = key if type(key[0]) is tuple else (key, ())
            most = max(most, len(pending))
            for slot, number in enumerate(vector):
                values[slot].add(number)
        (_, *streams) = self._slots.items()
        if not streams:
            return f"{plural(most, 'command')} pending at once"
        (stream_id, _), slot = max(streams, key=lambda item: len(values[item[1]]))
        counted = f"{stream_id} had {plural(len(values[slot]), 'different state')}"
        states = [self.values.numbered(number - 1) for number in values[slot] if number]
        fields_ = {name for state in states for name in fields_of(state)}
        different = {
            name: len({self.values.frozen(fields_of(state).get(name), "") for state in states})
            for name in sorted(fields_)
        }
        if different:
            name = max(different, key=lambda each: different[each])
            counted += f", with {plural(different[name], 'value')} of {name}"
        return f"{counted}; {plural(most, 'command')} pending at once" if most else counted

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
        self._add(self._key(self.start, known), self.start, known, -1, -1)
        self._first = self._waiting[0]
        self._walk: tuple[int, int, Run, tuple[int, ...]] | None = None

    def _slot(self, stream_id: str, state: Any, is_instance: bool) -> int:
        slot = self._slots.setdefault((stream_id, is_instance), len(self._slots))
        if slot == len(self._bases):
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
        if self._by is not None:
            try:
                return vector, self.values.frozen(self._by(run.stack), "by")
            except InvalidValue:
                raise
            except Exception as error:
                raise InvalidValue(
                    f"explore(by): the function raised {words_of(error)}; give a function of the stack"
                ) from error
        if not run.agenda:
            return vector
        return vector, tuple(sorted([self._way(p.command, p.sender) for p in run.agenda.entries()]))

    def _way(
        self,
        command: Any,
        sender: Identity | None = None,
        is_offered: bool = False,
        fault: Fault | None = None,
        at: int = -1,
    ) -> int:
        """The number of a choice; ``at`` is that of its fault."""
        name = None if sender is None else sender.stream_id
        number = repr(command) if command is fault else self.values.number(command, "a command")
        key = number, name, is_offered, at
        known = self._ways.get(key)
        if known is None:
            known = self._ways[key] = len(self.ways)
            self.ways.append(ExploredChoice(command, name, is_offered, fault))
        return known

    def _add(self, key: Hashable, run: Run, vector: tuple[int, ...], parent: int, way: int) -> int:
        """Note a new state. An interrupt on the way leaves the state unknown: see `_forget_halves`."""
        index, stack = len(self._states), run.stack
        broken = {name: _asked(holds, stack) for name, holds in self.invariants.items()}
        held = {name: _asked(holds, stack)[0] for name, holds in self._eventually.items()}
        sometimes = [(n, holds) for n, holds in self.sometimes.items() if n not in self.reached]
        reached = [name for name, holds in sometimes if _asked(holds, stack)[0]]
        self.out.append(None)
        self.parents.append(parent)
        self.reached_by.append(way)
        self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
        for name, (answer, error) in broken.items():
            self.bad[name].append(not answer)
            if not answer and name not in self._known:
                self._known.add(name)
                self.broken.append(BrokenAt(name, index, error))
        for name, is_held in held.items():
            self.held[name].append(is_held)
        self.reached.update(dict.fromkeys(reached, index))
        self._waiting.append((index, run, vector))
        self._states[key] = index
        return index

    def _forget_halves(self) -> None:
        """Take back what an interrupt left of a state that was about to be noted."""
        count = len(self._states)
        by_name = [*self.bad.values(), *self.held.values()]
        noted: list[Any] = [self.out, self.parents, self.reached_by, self.depths, *by_name]
        for each in noted:
            del each[count:]
        while self._waiting and self._waiting[-1][0] >= count:
            self._waiting.pop()
        for broken in [broken for broken in self.broken if broken.state >= count]:
            self.broken.remove(broken)
            self._known.discard(broken.name)
        self.reached = {name: state for name, state in self.reached.items() if state < count}

    def _look_at(self, index: int, run: Run, vector: tuple[int, ...]) -> None:
        out: array[int] = array("q")
        for way, begun_run, before in self._choices(run, vector):
            try:
                after, new_vector, is_nothing = self._whole(begun_run, before)
            except _Raised as raised:
                self._raised(index, way, raised.error)
                continue
            if is_nothing:
                continue
            key = self._key(after, new_vector)
            target = self._states.get(key)
            if target is None:
                target = self._add(key, after, new_vector, index, way)
            out.append(way)
            out.append(target)
        self.out[index] = out
        self.transitions += len(out) // 2
        if not out:
            self._ended(index, run)

    def _choices(self, run: Run, vector: tuple[int, ...]) -> Iterator[tuple[int, Run, tuple[int, ...]]]:
        """What may happen next: each choice, the run in which it is next, and the numbers of the state."""
        plain = self._commands(run)
        for command, sender, is_offered, begun_run in plain:
            yield self._way(command, sender, is_offered), begun_run, vector
        happened = vector[0] if vector else 0
        for at, fault in enumerate(self._faults):
            if happened >> at & 1:
                continue
            before = (happened | 1 << at, *vector[1:])
            for each, sender in _alone(fault, run):
                yield self._way(each, sender, False, each, at), arm(run, each), before
            if isinstance(fault, Fault) and not isinstance(fault, (Lose, Redeliver)):
                for command, sender, is_offered, begun_run in plain:
                    way = self._way(command, sender, is_offered, fault, at)
                    yield way, arm(begun_run, fault), before

    def _commands(self, run: Run) -> list[tuple[Any, Identity | None, bool, Run]]:
        """The commands that may come next, each with its sender and the run in which it is next."""
        found: dict[int, tuple[Any, Identity | None, bool, Run]] = {}
        for n, pending in enumerate(run.agenda.entries()):
            way = self._way(pending.command, pending.sender)
            if way not in found:
                next_ = run if n == 0 else run.choose(n)
                found[way] = pending.command, pending.sender, False, next_
        for command in () if self._offer is None else self._offered(run.stack):
            way = self._way(command, None, True)
            if way not in found:
                given = run.submit(command)
                found[way] = command, None, True, given if not run.agenda else given.choose(-1)
        return list(found.values())

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
        caused, rejected = False, None
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

    def _noted(self, step: Step, touched: set[tuple[str, bool]]) -> bool:
        """Note whose state a step changes; whether it sent commands."""
        if step.__class__ in _THAT_RECORD:
            self.seen.events.update([recorded.event_type for recorded in step.recorded])
        if step.stream_id is not None:
            touched.add((step.stream_id, step.at_process_manager))
            if step.at_process_manager:
                self.seen.reactions.add((step.stream_id.partition("-")[0], step.verb))
        return bool(step.commands)

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

    def _raised(self, index: int, way: int, error: CalamityError) -> None:
        name = _name_of(error)
        if name not in self._known:
            self._known.add(name)
            self.broken.append(BrokenAt(name, index, words_of(error), way))

    def _ended(self, index: int, run: Run) -> None:
        """Note a state in which nothing can happen, where something waits."""
        running = tuple(run.stack.process_managers)
        if running and all(each.state != index for each in self.stuck[-1:]):
            pending = tuple([format_value(command, 200) for command in run.agenda])
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
                made, state, run, vector = self._walk or (0, *self._first)
                found = self._at_random(source, state, run, vector)
                is_over = found is None or made + 1 == length
                self._walk = None if is_over or found is None else (made + 1, *found)
                limit -= 1
                passing()

    def _at_random(
        self, source: Random, state: int, run: Run, vector: tuple[int, ...]
    ) -> tuple[int, Run, tuple[int, ...]] | None:
        """One choice at random: where it leads; None where nothing can happen."""
        open_ = list(self._choices(run, vector))
        source.shuffle(open_)
        for way, begun_run, before in open_:
            try:
                after, new_vector, is_nothing = self._whole(begun_run, before)
            except _Raised as raised:
                self._raised(state, way, raised.error)
                continue
            if is_nothing:
                continue
            key = self._key(after, new_vector)
            target = self._states.get(key)
            self.transitions += 1
            if target is None:
                target = self._add(key, after, new_vector, state, way)
                self._waiting.clear()
            return target, after, new_vector
        self._ended(state, run)
        return None

    def still_breaks(self, name: str, ways: Sequence[ExploredChoice]) -> tuple[ExploredChoice, ...] | None:
        """Those of the choices that can be made, up to where the invariant breaks; None where it does not."""
        _, run, vector = self._first
        made: list[ExploredChoice] = []
        with ask.through(self.values.remembered), muted_output():
            for wanted in ways:
                open_ = self._choices(run, vector)
                found = next(((each, now) for way, each, now in open_ if self.ways[way] is wanted), None)
                if found is None:
                    continue
                try:
                    after, new_vector, is_nothing = self._whole(*found)
                except _Raised as raised:
                    if _name_of(raised.error) == name:
                        return (*made, wanted)
                    continue
                if is_nothing:
                    continue
                run, vector = after, new_vector
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


def _name_of(error: CalamityError) -> str:
    return f"{error.callback} raises no error" if isinstance(error, ModelError) else type(error).__name__


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
