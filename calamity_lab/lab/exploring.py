"""Exploring at the notebook's face: `explore`, and what it found, as values that show themselves."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from inspect import signature
from itertools import islice, product
from random import Random
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import finalize

from calamity_lab.errors import InvalidValue, Rejected, repr_of
from calamity_lab.frames.files import Exports
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import (
    a_list,
    a_mapping,
    a_whole_number,
    are_equal,
    has,
    is_a,
    one_of,
    words_of,
    wrong,
)
from calamity_lab.kernel.cases import source_of
from calamity_lab.kernel.faults import Fault, Lose, Redeliver
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.protocols import ALL, BACKWARDS
from calamity_lab.kernel.run import Run, begin, due_from_now
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab.code import to_path_test
from calamity_lab.lab.displays import Displays, counting
from calamity_lab.lab.results import Listing, Shown
from calamity_lab.model import Model, assemble, functions_reached, names_reached
from calamity_lab.probe.explore import (
    BrokenAt,
    ExploredChoice,
    Explorer,
    lost,
    shrunk,
    unfulfilled,
)
from calamity_lab.probe.workers import ForkedCrew, RemoteExplorer, WorkerLost, explore_with
from calamity_lab.stores.actors.cluster import ActorPerWorker, HostDirectory
from calamity_lab.stores.actors.protocol import ActorDied
from calamity_lab.text import html_table, plural
from calamity_lab.trace.inputs import Waited
from calamity_lab.trace.selection import Note
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Moment, Trace

if TYPE_CHECKING:
    from networkx import MultiDiGraph
    from pandas import DataFrame

_SHOWN = 20
_LENGTH = 200
_WALK = 200
_LONGEST_NAME = 40
_MOST_WORKERS = 64
_TIMES = ("any", "idle")
_FIRST_ANSWER, _CHECK_EVERY = 30.0, 0.002  # seconds
_STRATEGIES = ("breadth", "depth", "random")

Verdict = Literal["holds", "broken", "undecided"]
Start = Stack | Run | Displays


class Coverage(NamedTuple):
    """What never happened in the states that were found.

    Commands that were never accepted, events that were never recorded, reasons that no rejection gave, what
    instances of process managers never did, as in "Transfer stopped", and deadlines that were never due.
    """

    commands: tuple[str, ...]
    events: tuple[str, ...]
    reasons: tuple[str, ...]
    reactions: tuple[str, ...]
    deadlines: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [
            f"{words}: {', '.join(names)}"
            for words, names in zip(
                ("never accepted", "never recorded", "reasons never given", "never done", "never due"),
                self,
                strict=True,
            )
            if names
        ]
        return "\n".join(lines) or "everything happened at least once"


@dataclass(frozen=True, repr=False)
class PointOfNoReturn:
    """The first choice after which nothing that can happen avoids the violation.

    ``step`` is its number in the path, from 1; ``instead`` are the commands that could have been chosen
    there, and after which the violation can still be avoided.
    """

    step: int
    command: Any
    instead: tuple[Any, ...]

    def __repr__(self) -> str:
        instead = ", ".join([repr_of(each, _LENGTH) for each in self.instead]) or "nothing"
        return f"step {self.step}, {repr_of(self.command, _LENGTH)}; instead: {instead}"


class FoundPath:
    """The choices that lead from where an exploration began to what it found there; they open in a lab.

    ``path`` are the commands, in the order in which they were chosen, and ``ways`` the choices: each command
    with its sender, and what went wrong meanwhile.
    """

    def __init__(self, exploration: Exploration, title: str, ways: Sequence[ExploredChoice]) -> None:
        self._exploration, self._title, self.ways = exploration, title, tuple(ways)

    @property
    def path(self) -> tuple[Any, ...]:
        """The commands that lead there, in order."""
        return tuple([way.command for way in self.ways])

    def lab(self) -> Any:
        """A `Lab` that stands at the moment to which the path leads, with all that led there."""
        lab = self._exploration._lab()
        self._carry_out(lab)
        return lab

    def open_in(self, lab: Displays) -> Moment:
        """Go to the moment to which the path leads, in the lab that was explored, on a new branch.

        A branch that was made for this path before is gone to again. Raises `InvalidValue` in another lab.
        """
        stepper, opened, key = lab.stepper, self._exploration._opened, (self._title, self.ways)
        if key in opened:
            with suppress(InvalidValue):  # the branch was removed since
                return stepper.goto_note(opened[key])
        if not self._exploration._is_begun_in(stepper):
            raise InvalidValue(
                "open_in(lab) needs the lab that was explored, with the moment at which that began. Open the "
                "path in a lab of its own with lab(), or explore again with lab.explore()"
            )
        stepper.fork(stepper.trace.free_name(self._title[:_LONGEST_NAME]))
        self._carry_out(lab)
        opened[key] = Note(self._title, stepper.trace.branch.name, stepper.moment)
        return stepper.moment

    def _carry_out(self, lab: Displays) -> None:
        """Carry the path out in a lab that stands where it begins."""
        stepper = lab.stepper
        for way in self.ways:
            if way.is_fault:
                stepper.inject(_again(lab, way))
            else:
                if way.is_offered:
                    stepper.submit(way.command)
                if way.waits:
                    stack, deadline = lab.moment.stack, _deadline(lab, way)
                    is_first = deadline is stack.deadlines.first
                    stepper.put(Waited(None if is_first else due_from_now(stack, deadline)))
                    stepper.step_in()
                stepper.choose(_pending(lab, way))
                if way.fault is not None:
                    stepper.inject(way.fault)
            stepper.step_over()
            while stepper.moment.run.progress is not None:  # a breakpoint stopped it on the way
                stepper.step_over()


class StuckState(FoundPath):
    """A state in which nothing can happen, though instances of process managers wait.

    ``path`` are the commands that lead there, ``instances`` the stream ids of those that wait, ``pending``
    the commands that are rejected there.
    """

    def __init__(
        self,
        exploration: Exploration,
        ways: Sequence[ExploredChoice],
        instances: tuple[str, ...],
        pending: tuple[str, ...],
    ) -> None:
        self.instances, self.pending = instances, pending
        super().__init__(exploration, self.who_waits, ways)

    @property
    def who_waits(self) -> str:
        """The instances that wait, in words: "Transfer-1 waits"."""
        return f"{' and '.join(self.instances)} {'waits' if len(self.instances) == 1 else 'wait'}"

    def __repr__(self) -> str:
        rejected = f"; rejected there: {', '.join(self.pending)}" if self.pending else ""
        return f"after {plural(len(self.path), 'command')}, {self.who_waits}{rejected}"


class Violation(Shown, FoundPath):
    """A path on which an invariant breaks, or on which something that must come never comes.

    ``path`` are the commands, in the order in which they were chosen: the shortest such path where the
    exploring was by breadth. ``error`` is what the invariant, or a callback of the model, raised.
    ``again`` is set where a path goes round for ever: from this index on, its commands repeat.
    """

    titles = ("step", "command", "sent by", "")

    def __init__(
        self,
        exploration: Exploration,
        invariant: str,
        ways: Sequence[ExploredChoice],
        states: Sequence[int] = (),
        error: str = "",
        again: int | None = None,
    ) -> None:
        super().__init__(exploration, f"breaks: {invariant}", ways)
        self._states = tuple(states)
        self.invariant, self.error, self.again = invariant, error, again

    @property
    def point_of_no_return(self) -> PointOfNoReturn | None:
        """The first choice after which nothing avoids the violation; None where that is not known.

        It is not known where the exploring was at random, or where a callback raised.
        """
        return self._exploration._no_return(self)

    def _carry_out(self, lab: Displays) -> None:
        """Carry the path out, and show in the lab what breaks."""
        super()._carry_out(lab)
        fn, stops = self._exploration._explorer.invariants.get(self.invariant), lab.stepper.stops
        if fn is not None and self.invariant not in stops.watches:
            stops.watch("invariant", self.invariant, fn, must_hold=True)

    def to_test(self) -> str:
        """A test that does again all that led there, and fails as long as the invariant breaks there.

        Where that has no code, as without a lab that was explored, or with an invariant that has no name: the
        last command as a test of what it leads to today; see `Lab.to_test`.
        """
        lab, began = self.lab(), self._exploration.began_in
        fn = self._exploration._explorer.invariants.get(self.invariant)
        if began is not None and getattr(fn, "__name__", "").isidentifier() and fn is not None:
            with suppress(InvalidValue):  # something has no code
                return str(to_path_test(*began, lab.stepper.trace, lab.model, fn, fn.__name__))
        return str(lab.to_test())

    def _caption(self) -> str:
        error = f" ({self.error})" if self.error else ""
        return f"{self.invariant}: broken after {plural(len(self.ways), 'command')}{error}"

    def _lines(self) -> Iterator[str]:
        for number, way in enumerate(self.ways, 1):
            sent = "" if way.sender is None else f", sent by {way.sender}"
            round_ = ", and so on for ever from here" if self.again == number - 1 else ""
            yield f"  {number}. {way.label}{sent}{round_}"
        point = self.point_of_no_return
        if point is not None:
            yield f"  no return after {point}"

    def _texts(self) -> list[Sequence[str]]:
        point = self.point_of_no_return
        ends = None if point is None else point.step
        return [
            (f"{number}", way.label, way.sender or "submitted", "no way back" if ends == number else "")
            for number, way in enumerate(self.ways, 1)
        ]


class _EnoughForNow(Exception):
    """The time is over; what was found is whole."""


def _again(lab: Displays, way: ExploredChoice) -> Fault:
    """The fault of a choice in the run of a lab, where events and commands have other ids."""
    if isinstance(way.command, Redeliver):
        (latest,) = islice(lab.stack.event_store.stream(ALL, direction=BACKWARDS), 1)
        same = [r for r in lab.events if are_equal(r.event, way.command.event.event)]
        return Redeliver(same[-1] if same else latest)
    lost = way._replace(command=way.command.command)
    return Lose(lab.agenda.pending[_pending(lab, lost)])


def _pending(lab: Displays, way: ExploredChoice) -> int:
    """The index of the pending command that a choice means."""
    entries = list(lab.moment.agenda.entries())
    order = range(len(entries) - 1, -1, -1) if way.is_offered else range(len(entries))
    for n in order:
        sender = entries[n].sender
        if (None if sender is None else sender.stream_id) == way.sender and entries[n].command == way.command:
            return n
    raise _not_again(f"{way.label} is not pending")


def _deadline(lab: Displays, way: ExploredChoice) -> Pending:
    """The deadline that a choice means."""
    deadlines: tuple[Pending, ...] = tuple(lab.moment.stack.deadlines)
    for each in deadlines:
        if str(each.sender) == way.sender and each.deadline == way.deadline and each.command == way.command:
            return each
    raise _not_again(f"the deadline {way.deadline} of {way.sender} is not set")


def _not_again(why: str) -> InvalidValue:
    return InvalidValue(
        f"{why}, so the path cannot be done again: the model is not pure, or it was changed since. Explore "
        "it again"
    )


class Exploration(Shown, Exports):
    """The states that a model may come to, and what is wrong among them.

    ``states`` and ``transitions`` are how many were found; a transition into a state that was known counts.
    ``depth`` is how many commands lead to the state that is furthest from the start. ``seconds`` is how long
    the exploring took so far, ``turn`` how often it went on. ``began_in`` is the trace of the lab that was
    explored, and the number of the moment at which that began.
    """

    titles = ("invariant", "commands", "last command")

    def __init__(
        self,
        explorer: Explorer,
        model: Model | None,
        make: Callable[..., Any],
        *,
        limit: int,
        strategy: str,
        seed: int,
        length: int,
        again: Callable[[Mapping[str, Any]], Exploration] | None = None,
        began_in: tuple[Trace, int] | None = None,
        workers: Any,
        again_here: Callable[[], Explorer],
    ) -> None:
        self._explorer, self._given_model, self._make = explorer, model, make
        self._workers, self._again_here = workers, again_here
        # The processes that explore, from one part to the next, and what ends them with this object.
        self._crew: ForkedCrew | None = None
        self._ends: Any = None
        self.began_in = began_in
        self.seconds = 0.0
        self.turn = 0
        self._strategy, self._random, self._length = strategy, Random(seed), length
        self._again = again
        self._stopped = ""
        self._lost: dict[str, bytearray] = {}
        self._violations: tuple[Violation, ...] | None = None
        self._growth: str | None = None
        self._opened: dict[tuple[str, tuple[ExploredChoice, ...]], Note] = {}
        self.set_limit(limit)

    def set_limit(self, limit: int) -> None:
        """Let `go_on` look further: to so many states in all; at random, for so many more choices."""
        self._stopped, self._limit, self._choices_left = "", limit, limit

    @property
    def is_open(self) -> bool:
        """Whether `go_on` would look at more: it was not stopped, and is not at its limit."""
        left = self._choices_left if self._strategy == "random" else self._limit - self.states
        return not self._stopped and left > 0 and self.has_more

    @property
    def has_more(self) -> bool:
        """Whether something is left to look at, also beyond the limit."""
        explorer = self._explorer
        return not explorer.all_break if self._strategy == "random" else explorer.left > 0

    def go_on(self, seconds: float) -> bool:
        """Look at further states for so many seconds, or up to the limit; whether more is left to look at.

        So an exploration can be shown while it goes on, as in the tab "Explore".
        """
        end = monotonic() + seconds

        def passing() -> None:
            if monotonic() > end:
                raise _EnoughForNow

        if self.is_open:
            self._look(passing)
        return self.is_open

    def stop(self) -> None:
        """End it here, and keep what was found; `resume` goes on."""
        if self.is_open:
            self._stopped = "stopped"
            if self._crew is not None:
                self._crew.stop()

    def resume(self, limit: int = 100_000) -> Exploration:
        """Go on, to so many states in all; at random, for so many more choices."""
        self.set_limit(a_whole_number("resume(limit)", limit, low=1))
        explorer = self._explorer
        with counting("Explore", "states") as show:
            self._look(lambda: show(explorer.states, explorer.left))
        return self

    def _look(self, passing: Callable[[], object]) -> None:
        """Look at further states, up to the limit; ``passing`` hears of each, and may raise to end it."""
        self._lost.clear()
        self._violations = self._growth = None
        self.turn += 1
        began, goes_on = monotonic(), False

        def chosen() -> None:
            self._choices_left -= 1
            passing()

        try:
            if self._strategy == "random":
                self._explorer.walk(self._random, self._choices_left, self._length, chosen)
            elif is_a(self._workers, int) and self._workers > 1:
                self._crew = self._crew or ForkedCrew(self._explorer, self._workers)
                self._ends = self._ends or finalize(self, self._crew.stop)
                self._crew.go(self._limit, passing)
            elif not is_a(self._workers, int):
                _explore_on_cluster(self._explorer, self._limit, passing, self._workers, self._again_here)
            else:
                self._explorer.go(self._limit, passing)
        except KeyboardInterrupt:
            asked = self._explorer.asking
            self._stopped = f"interrupted while {asked!r} was asked" if asked else "interrupted"
        except WorkerLost as lost:
            self._stopped = str(lost)
        except _EnoughForNow:
            goes_on = True
        finally:
            self.seconds += monotonic() - began
            if self._crew is not None and not (goes_on and self.is_open):
                self._crew.stop()

    @property
    def states(self) -> int:
        """How many different states were found."""
        return self._explorer.states

    @property
    def transitions(self) -> int:
        """How many choices were followed, also into states that were known."""
        return self._explorer.transitions

    @property
    def depth(self) -> int:
        """How many commands lead to the state that is furthest from the start."""
        return self._explorer.depth

    @property
    def complete(self) -> bool:
        """Whether everything that may happen was followed; `stopped` says why not."""
        return self._strategy != "random" and self._explorer.is_complete

    @property
    def stopped(self) -> str:
        """Why the exploring ended before everything was followed; "" where everything was."""
        explorer = self._explorer
        if self._strategy == "random":
            return self._stopped or "at random, not everything is followed"
        if explorer.is_complete:
            return ""
        if explorer.left == 0:
            return f"{plural(explorer.cut, 'state')} at the greatest depth not followed"
        why = self._stopped or "stopped at the limit"
        if self._growth is None:
            self._growth = explorer.growth()
        grown = f"; {self._growth}" if self._growth else ""
        return f"{why}, {explorer.left:,} of {explorer.states:,} states not followed{grown}"

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the invariants that break, also while the exploring goes on."""
        return tuple([each.name for each in self._explorer.broken])

    @property
    def violations(self) -> tuple[Violation, ...]:
        """For each invariant that breaks, and for each thing that never comes, a path to it."""
        if self._violations is None:
            self._violations = tuple(self._found())
        return self._violations

    def _found(self) -> Iterator[Violation]:
        explorer = self._explorer
        yield from map(self._violation, explorer.broken)
        if self._strategy != "random":
            for name, held in explorer.held.items():
                missing = unfulfilled(explorer, held)
                if missing is not None:
                    words = f"never comes: {name}"
                    yield Violation(self, words, missing.ways, missing.states, "", missing.again)

    def _violation(self, broken: BrokenAt) -> Violation:
        explorer = self._explorer
        ways = explorer.path(broken.state)
        if broken.way is not None:
            ways = (*ways, explorer.ways[broken.way])
        if self._strategy == "random":
            return Violation(self, broken.name, shrunk(explorer, broken.name, ways), (), broken.error)
        return Violation(self, broken.name, ways, explorer.states_on_path(broken.state), broken.error)

    @property
    def verdict(self) -> Verdict:
        """In a word: "broken" with a violation, else "holds" where it is complete, else "undecided"."""
        if self.violations:
            return "broken"
        if not self.complete:
            return "undecided"
        return "broken" if self.unreached else "holds"

    @property
    def stuck(self) -> tuple[StuckState, ...]:
        """The states in which nothing can happen, though an instance of a process manager waits."""
        explorer = self._explorer
        return tuple(
            [
                StuckState(self, explorer.path(each.state), each.instances, each.pending)
                for each in explorer.stuck
            ]
        )

    @property
    def unreached(self) -> tuple[str, ...]:
        """The names in ``sometimes`` that held in no state."""
        return tuple([name for name in self._explorer.sometimes if name not in self._explorer.reached])

    @property
    def coverage(self) -> Coverage:
        """What never happened, in the words of the model."""
        seen, model = self._explorer.seen, self._model
        reactions = [
            f"{stored_name(cls)} {verb}"
            for cls in model.process_managers
            for verb in _verbs(cls)
            if (stored_name(cls), verb) not in seen.reactions
        ]
        given = {reason for _, reason in seen.reasons}
        return Coverage(
            tuple([name for name in map(stored_name, model.commands) if name not in seen.accepted]),
            tuple([name for name in map(stored_name, model.events) if name not in seen.events]),
            tuple([reason for reason in _reasons(model) if reason not in given]),
            tuple(reactions),
            tuple(sorted(seen.deadlines - seen.met)),
        )

    def sweep(self, **sizes: Iterable[Any]) -> Sweep:
        """Explore for each combination of these arguments of the function that makes the start.

        ``explore(make, ...)`` with ``def make(accounts=2): return begin(...)`` can be swept by
        ``sweep(accounts=[2, 3, 4])``. The functions for commands get the arguments that they name, too.
        """
        if self._again is None:
            raise InvalidValue(
                "sweep() needs a start that is made by a function, as in explore(make, ...) with "
                "def make(accounts=2): ..."
            )
        names = list(sizes)
        table = []
        for values in product(*[tuple(each) for each in sizes.values()]):
            given = dict(zip(names, values, strict=True))
            table.append((given, self._again(given)))
        return Sweep(table)

    def to_pandas(self) -> DataFrame:
        """One row per state: its number, how many commands lead there, by which, and what breaks in it."""
        import pandas as pd

        return pd.DataFrame(list(self.rows()))

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        explorer = self._explorer
        for state in range(explorer.states):
            out = explorer.out[state]
            yield {
                "state": state,
                "depth": explorer.depths[state],
                "from_state": None if state == 0 else explorer.parents[state],
                "command": None if state == 0 else explorer.ways[explorer.reached_by[state]].label,
                "broken": ", ".join([name for name, bad in explorer.bad.items() if bad[state]]),
                "ways_out": None if out is None else len(out) // 2,
            }

    def to_networkx(self) -> MultiDiGraph:
        """The states as nodes and the choices as edges, each with its command as ``command``."""
        import networkx as nx

        graph = nx.MultiDiGraph()
        for row in self.rows():
            graph.add_node(row["state"], depth=row["depth"], broken=row["broken"])
        for state in range(self._explorer.states):
            for way, target in self._explorer.ways_out(state):
                graph.add_edge(state, target, command=way.label, sender=way.sender)
        return graph

    @property
    def sentence(self) -> str:
        """The verdict, and how much was explored."""
        found = (
            f"{plural(self.states, 'state')}, {plural(self.transitions, 'transition')}, depth {self.depth:,}"
        )
        return f"{self.verdict}: {found}" + (f"; {self.stopped}" if self.stopped else "")

    def _caption(self) -> str:
        return self.sentence

    def _lines(self) -> Iterator[str]:
        yield from map(repr, self.violations[:_SHOWN])
        yield from (f"never reached: {name}" for name in self.unreached)
        if self.stuck:
            found = plural(len(self.stuck), "state")
            yield f"{found} in which nothing can happen, though {self.stuck[0].who_waits}"

    def _texts(self) -> list[Sequence[str]]:
        return [
            (
                each.invariant,
                f"{len(each.path)}",
                (each.path and repr_of(each.path[-1], _LENGTH)) or "at the start",
            )
            for each in self.violations
        ]

    @property
    def _model(self) -> Model:
        return _model_of(self._explorer) if self._given_model is None else self._given_model

    def _lab(self) -> Any:
        return self._make(self._model, stack=self._explorer.given)

    def _is_begun_in(self, stepper: Stepper) -> bool:
        """Go to the moment at which it began; whether that is there."""
        if self.began_in is None:
            return False
        trace, index = self.began_in
        with suppress(InvalidValue):
            stepper.goto_note(Note("", trace.branch.name, trace[index]))
            return True
        return False

    def _no_return(self, violation: Violation) -> PointOfNoReturn | None:
        explorer, states = self._explorer, violation._states
        bad = explorer.bad.get(violation.invariant)
        if bad is None or not states:
            return None
        if violation.invariant not in self._lost:
            self._lost[violation.invariant] = lost(explorer, bad)
        gone = self._lost[violation.invariant]
        step = next((n for n, state in enumerate(states) if gone[state]), None)
        if not step:
            return None
        instead = [way.command for way, target in explorer.ways_out(states[step - 1]) if not gone[target]]
        return PointOfNoReturn(step, violation.path[step - 1], tuple(instead))


class Sweep(Listing[tuple[Mapping[str, Any], Exploration]], Exports):
    """Explorations of models of several sizes, in order; `smallest` is the first that is broken.

    An export has one row per exploration: its arguments, its verdict and its size.
    """

    noun, call = "exploration", "sweep"

    @property
    def smallest(self) -> Exploration | None:
        """The first exploration with a violation; None where there is none."""
        return next((each for _, each in self if each.verdict == "broken"), None)

    def to_pandas(self) -> DataFrame:
        """One row per exploration."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row of `to_pandas`."""
        return [
            {
                **given,
                "verdict": each.verdict,
                "states": each.states,
                "transitions": each.transitions,
                "violations": ", ".join([violation.invariant for violation in each.violations]),
            }
            for given, each in self
        ]

    def __repr__(self) -> str:
        rows = [[f"{name} {value}" for name, value in row.items() if value != ""] for row in self.rows()]
        return "\n".join(map(", ".join, rows))

    def _repr_html_(self) -> str:
        rows = self.rows()
        texts = [[f"{it:,}" if type(it) is int else str(it) for it in row.values()] for row in rows]
        return html_table(tuple(rows[0]) if rows else (), texts)


def exploration_of(
    start: Start | Callable[..., Start],
    make: Callable[..., Any],
    *,
    commands: Iterable[Any] | Callable[..., Iterable[Any]] | None,
    invariants: Any,
    eventually: Any,
    sometimes: Any,
    faults: Iterable[Any],
    limit: int,
    depth: int | None,
    strategy: str,
    seed: int,
    by: Callable[[Stack], Any] | None,
    workers: Any = 1,
    time: str,
) -> Exploration:
    """An exploration that has looked at nothing yet; ``make(model, stack=run)`` makes the labs it opens."""
    limit = a_whole_number("explore(limit)", limit, low=1)
    depth = None if depth is None else a_whole_number("explore(depth)", depth)
    one_of("explore(strategy)", strategy, _STRATEGIES)
    workers = _workers(workers, strategy)
    one_of("explore(time)", time, _TIMES)
    checks = {
        "invariants": _predicates("invariants", invariants),
        "eventually": _predicates("eventually", eventually),
        "sometimes": _predicates("sometimes", sometimes),
    }
    wrong_things = _faults(faults)
    is_made = callable(start) and not is_a(start, Stack, Run, Displays)

    def explored(given: Mapping[str, Any]) -> Exploration:
        begins = _made(start, given) if is_made else start
        run, model = _run_and_model(begins)
        begun = partial(
            Explorer,
            run,
            offer=_offer(commands, given),
            depth=None if strategy == "random" else depth,
            strategy="depth" if strategy == "depth" else "breadth",
            by=by,
            time="idle" if time == "idle" else "any",
            faults=wrong_things,
            **checks,
        )
        return Exploration(
            begun(),
            model,
            make,
            limit=limit,
            strategy=strategy,
            seed=seed,
            length=_WALK if depth is None else depth,
            again=(lambda given: explored(given).resume(limit)) if is_made else None,
            began_in=(begins.stepper.trace, begins.cursor) if isinstance(begins, Displays) else None,
            workers=workers,
            again_here=begun,
        )

    return explored({})


def _workers(given: Any, strategy: str) -> Any:
    """How many workers there are to be, or the client of their cluster, after a check."""
    is_client = type(given).__module__.partition(".")[0] == "distributed" and has(given, "submit")
    try:
        count = 2 if is_client else a_whole_number("explore(workers)", given, low=1, high=_MOST_WORKERS)
    except InvalidValue as error:
        raise InvalidValue(
            f"{error}; or a dask.distributed.Client, for which run: pip install 'calamity-lab[cluster]'"
        ) from None
    if count > 1 and strategy != "breadth":
        raise InvalidValue(
            f"explore(workers={repr_of(given)}, strategy={strategy!r}): several workers explore by breadth "
            "only, because each choice of the other strategies depends on the one before. Leave out workers "
            "or strategy"
        )
    if count > 1 and not is_client and not hasattr(os, "fork"):
        raise InvalidValue(
            f"explore(workers={count}): this system cannot fork a process. Explore with workers=1, or on a "
            "cluster: workers=dask.distributed.Client()"
        )
    return given if is_client else count


class _OnCluster(ActorPerWorker):
    def receive(self) -> bytes:
        try:
            return super().receive()
        except ActorDied as error:
            raise WorkerLost(str(error)) from error


def _explore_on_cluster(
    explorer: Explorer, limit: int, passing: Callable[[], object], client: Any, make: Any
) -> None:
    """Go on with the workers of a Dask cluster; see `explore_with`."""
    hosts = HostDirectory(client, _FIRST_ANSWER, RemoteExplorer, make)

    def ready(workers: Sequence[_OnCluster]) -> list[_OnCluster]:
        while True:
            found = [worker for worker in workers if worker.is_ready]
            if found:
                return found
            sleep(_CHECK_EVERY)

    try:
        count = hosts.count()
        explore_with(
            explorer,
            limit,
            passing,
            count,
            lambda base: [_OnCluster(hosts, n) for n in range(count)],
            ready,
        )
    except ActorDied as died:
        raise WorkerLost(
            f"{died}. If the model is the reason, put it into a module that the workers can import"
        ) from died
    finally:
        hosts.close()


def _made(make: Any, given: Mapping[str, Any]) -> Any:
    """What a function makes that was given as the start."""
    try:
        return make(**given)
    except TypeError as error:
        raise InvalidValue(
            f"explore(start): {_name(make)} cannot be called with {', '.join(given) or 'no argument'}: "
            f"{words_of(error)}. Give each parameter a default, as in def make(accounts=2): ..."
        ) from error


def _run_and_model(start: Any) -> tuple[Run, Model | None]:
    """The run to begin with, at rest and in memory, and the classes of its model."""
    if is_a(start, Displays):
        run, model = start.moment.run, start.model
    elif is_a(start, Stack, Run):
        run, model = begin(start) if is_a(start, Stack) else start, None
    else:
        raise wrong("explore(start)", start, "a Stack, a Run, a Lab, or a function that returns one")
    if run.progress is not None:
        raise InvalidValue(
            f"explore() begins between two commands, and {run.progress.pending.command_type} is in progress; "
            "step to its end first, as with lab.step_over()"
        )
    for store in (run.stack.event_store, run.stack.aggregates, run.stack.process_managers):
        if not _is_value(store):
            raise InvalidValue(
                f"explore() would write every run that it tries to {store!r}. Open the history with "
                "Lab.attach(store, model), which writes nothing, or give a Stack in memory"
            )
    return run, model


def _is_value(store: Any) -> bool:
    return type(store).__module__.startswith("calamity_lab.kernel.") or not (outbox.outlives_the_stack(store))


def _model_of(explorer: Explorer) -> Model:
    """The classes that were met: those of the states at the start, and those of the commands."""
    stack = explorer.given.stack
    sent = [choice.command for choice in explorer.ways if not choice.is_fault]
    aggregates = {type(state): None for state in stack.aggregates.values()}
    aggregates.update({ask.target(command).type: None for command in sent})
    return assemble(
        None,
        {
            "aggregates": tuple(aggregates),
            "process_managers": stack.process_manager_types,
            "commands": tuple({type(command): None for command in sent}),
            "projections": (),
        },
    )


def _offer(commands: Any, given: Mapping[str, Any]) -> Callable[[Stack], Iterable[Any]] | None:
    if commands is None:
        return None
    if callable(commands):
        named = set(signature(commands).parameters)
        known = {name: value for name, value in given.items() if name in named}
        return partial(commands, **known) if known else commands
    listed = [commands] if has(commands, "aggregate") else a_list("explore(commands)", commands, "[command]")
    for command in listed:
        if not has(command, "aggregate") or is_a(command, type):
            raise wrong("explore(commands)", command, "commands in a list, or a function of the stack")
    return lambda stack: listed


def _faults(given: Any) -> tuple[Any, ...]:
    listed = (
        a_list("explore(faults)", given, "[Crash(), Lose, Redeliver]") if not is_a(given, Fault) else [given]
    )
    for each in listed:
        if not is_a(each, Fault) and each is not Lose and each is not Redeliver:
            raise wrong("explore(faults)", each, "faults in a list, as in [Crash(), Lose, Redeliver]")
    return tuple(listed)


def _predicates(name: str, given: Any) -> dict[str, Callable[[Stack], Any]]:
    """Functions of a stack by name, from a function, a list of functions or a dict."""
    if is_a(given, Mapping):
        pairs = list(a_mapping(f"explore({name})", given, "{'is positive': is_positive}").items())
    else:
        listed = [given] if callable(given) else a_list(f"explore({name})", given, "[is_positive]")
        pairs = [(_name(each, f"{name} {number}"), each) for number, each in enumerate(listed, 1)]
    found: dict[str, Callable[[Stack], Any]] = {}
    for words, each in pairs:
        if not callable(each):
            raise wrong(f"explore({name})", each, "functions of a stack, in a list or by name in a dict")
        if words in found:
            raise InvalidValue(f"explore({name}): two functions have the name {words!r}; name them in a dict")
        found[str(words)] = each
    return found


def _name(function: Any, otherwise: str = "the function") -> str:
    name = getattr(function, "__name__", "<lambda>")
    return otherwise if name == "<lambda>" else str(name).replace("_", " ")


_VERBS = {"Start": "started", "Continue": "continued", "Stop": "stopped"}


def _verbs(manager: type) -> list[str]:
    """What instances of a process manager may do, read from what its ``interested`` names."""
    named = names_reached(manager, "interested")
    return [verb for name, verb in _VERBS.items() if name in named]


def _reasons(model: Model) -> list[str]:
    """The reasons that aggregates give when they reject a command, as far as their source says."""
    found: dict[str, None] = {}
    for cls in model.aggregates:
        for function, _ in functions_reached(cls, "execute"):
            tree = source_of(function.__code__)
            for node in ast.walk(tree) if tree is not None else ():
                match node:
                    case ast.Call(ast.Name(name), [ast.Constant(str(reason)), *_]) if _rejects(
                        function, name
                    ):
                        found[reason] = None
    return list(found)


def _rejects(function: Any, name: str) -> bool:
    meant = function.__globals__.get(name)
    return isinstance(meant, type) and issubclass(meant, Rejected)
