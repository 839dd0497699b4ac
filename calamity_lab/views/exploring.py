"""What the tab "Explore" shows: what can be explored from a moment, and what was found."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Literal, Protocol

from calamity_lab.errors import repr_of
from calamity_lab.kernel.faults import Crash, Lose, Redeliver
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.stack import Stack
from calamity_lab.model import names_reached
from calamity_lab.text import format_value, plain_sentence, plural
from calamity_lab.trace.replay import submitted_on
from calamity_lab.trace.trace import Trace
from calamity_lab.trace.watches import Watch

LIMIT = 10_000
"""So many states are looked at, unless a person asks for more."""

MOST_WORKERS = min(os.cpu_count() or 1, 8) if hasattr(os, "fork") else 1
"""So many processes of this machine can explore."""

MOST_OFFERED = 40
MOST_STEPS = 200
_MOST_ROWS, _MOST_STUCK = 20, 5
_LENGTH = 200

Role = Literal["always", "eventually", "sometimes", "off"]
SearchOrder = Literal["breadth", "depth", "random"]
TimePasses = Literal["any", "idle"]
PathKind = Literal["broken", "stuck"]


@dataclass(frozen=True, slots=True)
class ChosenToExplore:
    """What a person chose to explore. ``typed`` are commands from the form, ``commands`` keys of `offered`.

    ``unfolded`` are the keys of the rows of which the path is shown; None is the first violation.
    """

    typed: tuple[Any, ...] = ()
    checks: tuple[tuple[str, Role], ...] = ()
    commands: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    limit: int = LIMIT
    depth: int | None = None
    strategy: SearchOrder = "breadth"
    seed: int = 0
    time: TimePasses = "any"
    workers: int = 1
    unfolded: tuple[str, ...] | None = None


_ARGUMENTS: Mapping[Role, str] = {
    "always": "invariants",
    "eventually": "eventually",
    "sometimes": "sometimes",
}
_FAULTS: Mapping[str, tuple[Any, str, str]] = {
    "crash": (Crash(), "A crash", "The process ends after an append, and recovers"),
    "lose": (Lose, "A lost command", "A command of a process manager is lost on its way"),
    "redeliver": (Redeliver, "An event twice", "The latest event reaches the process managers a second time"),
}


@dataclass(frozen=True, slots=True)
class ExploreOption:
    """A command that may be sent in each state, or a fault that may happen once, and whether it is chosen."""

    key: str
    label: str
    title: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class ExploreCheck:
    """A watch or an invariant of the lab, and what is checked of it."""

    name: str
    label: str
    role: Role


@dataclass(frozen=True, slots=True)
class PathStep:
    """A choice on the path to a violation: a command, or what goes wrong.

    ``note`` marks the last choice that can avoid the violation, and the one from which a path repeats.
    """

    number: int
    label: str
    sender: str
    note: str


@dataclass(frozen=True, slots=True)
class PathRow:
    """A check that breaks, or who waits for ever, and a path to it; once unfolded, with its first choices.

    ``key`` is its own among all rows; ``name`` is that of the check, or the number of the stuck state.
    ``advice`` says which choice leaves no way back, and what could have been chosen there; of a stuck state,
    which commands are rejected in it.
    """

    key: str
    kind: PathKind
    name: str
    label: str
    length: int
    last: str
    error: str
    advice: str
    is_open: bool
    steps: tuple[PathStep, ...]
    more: int


@dataclass(frozen=True, slots=True)
class NeverRow:
    """What never happened in the states that were found: a heading, and names."""

    heading: str
    names: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class ExploredView:
    """What was found, and how far it went; ``verdict`` is "" while the exploring goes on."""

    is_running: bool
    can_go_on: bool
    verdict: str
    reason: str
    progress: str
    violations: tuple[PathRow, ...]
    stuck: tuple[PathRow, ...]
    more_stuck: int
    never: tuple[NeverRow, ...]


@dataclass(frozen=True, slots=True)
class ExploringView:
    """What can be explored from the moment of the cursor, what a person chose of it, and what was found.

    ``problem`` says why nothing can be explored from here; "" if something can be. ``most_workers`` is 1
    where several processes cannot explore.
    """

    start: str
    problem: str
    summary: str
    checks: tuple[ExploreCheck, ...]
    commands: tuple[ExploreOption, ...]
    faults: tuple[ExploreOption, ...]
    limit: int
    depth: int | None
    strategy: SearchOrder
    seed: int
    time: TimePasses
    has_deadlines: bool
    workers: int
    most_workers: int
    found: ExploredView | None


class ExploredPath(Protocol):
    """A path that was found, as `calamity_lab.lab.exploring.FoundPath` is one."""

    @property
    def ways(self) -> Sequence[Any]: ...


class PathToStuckState(ExploredPath, Protocol):
    """A path to a stuck state, as `calamity_lab.lab.exploring.StuckState` is one."""

    pending: tuple[str, ...]

    @property
    def who_waits(self) -> str: ...


class PathToViolation(ExploredPath, Protocol):
    """A violation, as `calamity_lab.lab.exploring.Violation` is one."""

    invariant: str
    error: str
    again: int | None

    @property
    def point_of_no_return(self) -> Any: ...


class Exploring(Protocol):
    """An exploration that may go on, as `calamity_lab.lab.exploring.Exploration` is one."""

    turn: int
    seconds: float

    @property
    def states(self) -> int: ...

    @property
    def transitions(self) -> int: ...

    @property
    def depth(self) -> int: ...

    @property
    def is_open(self) -> bool: ...

    @property
    def has_more(self) -> bool: ...

    @property
    def complete(self) -> bool: ...

    @property
    def stopped(self) -> str: ...

    @property
    def verdict(self) -> str: ...

    @property
    def broken(self) -> Sequence[str]: ...

    @property
    def violations(self) -> Sequence[Any]: ...

    @property
    def unreached(self) -> Sequence[str]: ...

    @property
    def stuck(self) -> Sequence[Any]: ...

    @property
    def coverage(self) -> Any: ...

    def go_on(self, seconds: float) -> bool: ...

    def set_limit(self, limit: int) -> None: ...

    def stop(self) -> None: ...


_OFFERED = Slot[tuple[Any, ...]](most=2)
_SENT = 1_000


def offered(trace: Trace, typed: Iterable[Any]) -> dict[str, Any]:
    """The commands that may be offered, by key: those of the form, and those that were sent on the branch."""
    inputs = trace.branch.inputs
    sent = trace.memo.once(_OFFERED, lambda: _sent(trace), inputs)
    found = {_key(command): command for command in (*typed, *sent)}
    return dict(islice(found.items(), MOST_OFFERED))


def _sent(trace: Trace) -> tuple[Any, ...]:
    """Different commands that were submitted last on a branch, in order."""
    found = {_key(each.command): each.command for each in submitted_on(trace.branch)[-_SENT:]}
    return tuple(found.values())[-MOST_OFFERED:]


def _key(command: Any) -> str:
    return sha256(f"{type(command)} {repr_of(command, None)}".encode()).hexdigest()[:16]


def exploring(
    trace: Trace,
    cursor: int,
    watches: Mapping[str, Watch],
    asked: ChosenToExplore,
    found: ExploredView | None = None,
) -> ExploringView:
    """What can be explored from a moment, with what a person chose of it, and what was found."""
    roles = _roles(watches, asked.checks)
    offers = [
        ExploreOption(key, format_value(each, _LENGTH), stored_name(type(each)), key in asked.commands)
        for key, each in offered(trace, asked.typed).items()
    ]
    wrong = [
        ExploreOption(key, label, title, key in asked.faults) for key, (_, label, title) in _FAULTS.items()
    ]
    chosen = [sum(each.is_on for each in group) for group in (offers, wrong)]
    checked = sum(role != "off" for role in roles.values())
    most = MOST_WORKERS if asked.strategy == "breadth" else 1
    workers = min(asked.workers, most)
    return ExploringView(
        start=_start(trace, cursor),
        problem=_problem(trace, cursor, has_offers=chosen[0] > 0),
        summary=", ".join(
            [
                plural(checked, "check") if checked else "no check",
                *([f"{plural(chosen[0], 'command')} offered"] if chosen[0] else []),
                *([plural(chosen[1], "fault")] if chosen[1] else []),
                plural(asked.limit, "choice" if asked.strategy == "random" else "state") + " at most",
                *([] if asked.depth is None else [f"depth {asked.depth:,}"]),
                *([plural(workers, "process", "processes")] if workers > 1 else []),
            ]
        ),
        checks=tuple([ExploreCheck(name, plain_sentence(name), role) for name, role in roles.items()]),
        commands=tuple(offers),
        faults=tuple(wrong),
        limit=asked.limit,
        depth=asked.depth,
        strategy=asked.strategy,
        seed=asked.seed,
        time=asked.time,
        has_deadlines=_has_deadlines(trace[cursor].stack),
        workers=workers,
        most_workers=most,
        found=found,
    )


def arguments(trace: Trace, watches: Mapping[str, Watch], asked: ChosenToExplore) -> dict[str, Any]:
    """What a person chose, as the arguments of `explore`."""
    roles = _roles(watches, asked.checks)
    checks = {
        argument: {name: watches[name].fn for name, role in roles.items() if role == wanted}
        for wanted, argument in _ARGUMENTS.items()
    }
    sendable = [each for key, each in offered(trace, asked.typed).items() if key in asked.commands]
    return {
        **checks,
        "commands": sendable or None,
        "faults": [fault for key, (fault, _, _) in _FAULTS.items() if key in asked.faults],
        "limit": asked.limit,
        "depth": asked.depth,
        "strategy": asked.strategy,
        "seed": asked.seed,
        "time": asked.time,
        "workers": min(asked.workers, MOST_WORKERS) if asked.strategy == "breadth" else 1,
    }


def _roles(watches: Mapping[str, Watch], chosen: Iterable[tuple[str, Role]]) -> dict[str, Role]:
    """What is checked of each watch: an invariant that is on must always hold, unless a person chose else."""
    asked = dict(chosen)
    usual: dict[str, Role] = {
        name: "always" if watch.must_hold and watch.is_on else "off" for name, watch in watches.items()
    }
    return {name: asked.get(name, role) for name, role in usual.items()}


def _start(trace: Trace, cursor: int) -> str:
    pending = [each.command_type for each in islice(trace[cursor].agenda.entries(), 4)]
    count = len(trace[cursor].agenda)
    if not count:
        deadlines = len(trace[cursor].stack.deadlines)
        waits = f", and {plural(deadlines, 'deadline')} set" if deadlines else ""
        return f"From step {cursor:,}, where nothing is pending{waits}"
    rest = f" and {count - len(pending):,} more" if count > len(pending) else ""
    names = plain_sentence(f"{', '.join(pending)}{rest}")
    return f"From step {cursor:,}: {names} {'is' if count == 1 else 'are'} pending"


def _has_deadlines(stack: Stack) -> bool:
    """Whether a deadline is set, or a process manager may set one."""
    named = [names_reached(cls, "handle", "handle_rejection") for cls in stack.process_manager_types]
    return bool(stack.deadlines) or any("After" in names or "At" in names for names in named)


def _problem(trace: Trace, cursor: int, *, has_offers: bool) -> str:
    moment = trace[cursor]
    if moment.run.progress is not None:
        return "A command is in progress. Step over it, then explore."
    if moment.agenda or has_offers or moment.stack.deadlines:
        return ""
    return (
        "Nothing can happen from here. Go back to a step with pending commands, or choose commands below "
        "that may be sent."
    )


def explored(found: Exploring, unfolded: Collection[str] | None = None) -> ExploredView:
    """What was found, as rows; while the exploring goes on, only how far it is."""
    return _going(found) if found.is_open else _ended(found, unfolded)


def _progress(found: Exploring) -> str:
    rate = f", {found.states / found.seconds:,.0f} a second" if found.seconds > 0.05 else ""
    return (
        f"{plural(found.states, 'state')}{rate}; {plural(found.transitions, 'transition')}, "
        f"depth {found.depth:,}"
    )


def _going(found: Exploring) -> ExploredView:
    broken = plain_sentence(f"Broken so far: {', '.join(found.broken)}") if found.broken else ""
    return ExploredView(True, False, "", broken, _progress(found), (), (), 0, ())


def _ended(found: Exploring, unfolded: Collection[str] | None) -> ExploredView:
    violations, stuck = found.violations, found.stuck
    shown = [_key_of("broken", each.invariant) for each in violations[:1]] if unfolded is None else unfolded
    return ExploredView(
        is_running=False,
        can_go_on=found.has_more,
        verdict=found.verdict,
        reason=_reason(found, len(violations)),
        progress=_progress(found),
        violations=tuple([_violation(each, shown) for each in violations[:_MOST_ROWS]]),
        stuck=tuple([_stuck(number, each, shown) for number, each in enumerate(stuck[:_MOST_STUCK])]),
        more_stuck=max(len(stuck) - _MOST_STUCK, 0),
        never=tuple(_never(found)),
    )


def _reason(found: Exploring, violations: int) -> str:
    broken = [*([plural(violations, "check") + " broken"] if violations else [])]
    broken += [f"{len(found.unreached):,} never true"] if found.unreached else []
    how_far = "everything that may happen was followed" if found.complete else found.stopped
    return plain_sentence("; ".join([*broken, how_far]))


def _key_of(kind: PathKind, name: str) -> str:
    return f"{kind}: {name}"


def _violation(violation: PathToViolation, unfolded: Collection[str]) -> PathRow:
    is_open = _key_of("broken", violation.invariant) in unfolded
    point = violation.point_of_no_return if is_open else None
    return _row(
        "broken",
        violation.invariant,
        violation.invariant,
        violation,
        is_open=is_open,
        error=violation.error,
        advice="" if point is None else _advice(point.step, point.instead),
        steps=_steps(violation.ways, None if point is None else point.step, violation.again),
    )


def _stuck(number: int, stuck: PathToStuckState, unfolded: Collection[str]) -> PathRow:
    is_open = _key_of("stuck", str(number)) in unfolded
    advice = f"Pending and always rejected: {', '.join(stuck.pending)}" if stuck.pending else ""
    steps = _steps(stuck.ways)
    return _row(
        "stuck", str(number), stuck.who_waits, stuck, is_open=is_open, error="", advice=advice, steps=steps
    )


def _row(
    kind: PathKind,
    name: str,
    label: str,
    path: ExploredPath,
    *,
    is_open: bool,
    error: str,
    advice: str,
    steps: Iterator[PathStep],
) -> PathRow:
    ways = path.ways
    return PathRow(
        key=_key_of(kind, name),
        kind=kind,
        name=name,
        label=plain_sentence(label, _LENGTH),
        length=len(ways),
        last=ways[-1].label if ways else "at the start",
        error=plain_sentence(error, _LENGTH),
        advice=plain_sentence(advice, 2 * _LENGTH),
        is_open=is_open,
        steps=tuple(steps) if is_open else (),
        more=max(len(ways) - MOST_STEPS, 0),
    )


def _advice(step: int, instead: Sequence[Any]) -> str:
    others = ", ".join([format_value(each, _LENGTH) for each in instead[:3]])
    more = f" and {len(instead) - 3:,} more" if len(instead) > 3 else ""
    possible = f" Possible instead: {others}{more}" if others else ""
    return f"Point of no return: step {step:,}.{possible}"


def _steps(
    ways: Sequence[Any], last_chance: int | None = None, again: int | None = None
) -> Iterator[PathStep]:
    for number, way in enumerate(ways[:MOST_STEPS], 1):
        unsent = "offered" if way.is_offered else "submitted"
        sender = unsent if way.sender is None else plain_sentence(f"sent by {way.sender}")
        note = "no way back" if number == last_chance else ""
        note = "again and again from here" if again == number - 1 else note
        yield PathStep(number, way.label, "" if way.is_fault else sender, note)


_HEADINGS = (
    "Commands never accepted",
    "Events never recorded",
    "Reasons never given",
    "Never done",
    "Deadlines never due",
)


def _never(found: Exploring) -> Iterator[NeverRow]:
    groups = [("Never true", found.unreached), *zip(_HEADINGS, found.coverage, strict=True)]
    for heading, names in groups:
        if names:
            shown = tuple([plain_sentence(name, _LENGTH) for name in names[:_MOST_ROWS]])
            yield NeverRow(heading, shown, len(names) - len(shown))
