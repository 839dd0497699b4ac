"""When to stop: one loop goes forward, and conditions say where it ends.

A condition is called with each new moment, in order, and answers whether to stop there. So each way to step
is the same loop with another condition::

    stepper.go(ends_command)                      # step over
    stepper.go(ends_command, Times(100))          # ... but no more than 100 steps
    stepper.go(lambda moment: moment.step.reason == "insufficient funds")

Breakpoints and invariants (`Stops`) stop every move forward. Whether they stop at a moment depends on the
moment and its past only, so a move back finds the moments at which a move forward stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from time import monotonic
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import InvalidModel, InvalidValue, repr_of
from calamity_lab.kernel.arguments import (
    a_bool,
    a_function,
    a_list,
    a_text,
    a_whole_number,
    is_a,
    words_of,
    wrong,
)
from calamity_lab.kernel.identity import Identity, by_name, stored_name, stream_id_of
from calamity_lab.kernel.schema import field_names
from calamity_lab.kernel.steps import Appended, Conflicted, Elapsed, Step
from calamity_lab.text import plural
from calamity_lab.trace.differences import differences
from calamity_lab.trace.index import Kind as LaneKind
from calamity_lab.trace.trace import Moment, Trace
from calamity_lab.trace.watches import Asked, Changed, Watch, WatchList, code_of, states_of

Condition = Callable[[Moment], bool]


def always(moment: Moment) -> bool:
    """After one step."""
    return True


def ends_command(moment: Moment) -> bool:
    """Where a command is completed."""
    return moment.step is not None and moment.step.ends


class Times:
    """After so many steps."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, moment: Moment) -> bool:
        """Whether that was the last of the steps."""
        self._left -= 1
        return self._left <= 0


class Within:
    """After so many seconds, counted from now."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def __call__(self, moment: Moment) -> bool:
        """Whether the seconds have passed."""
        return monotonic() >= self._end


class EndsCascade:
    """Where the command of the first step is completed, with all the commands that it caused."""

    def __init__(self) -> None:
        self._cascade: set[str] = set()
        self._open = 0

    def __call__(self, moment: Moment) -> bool:
        """Whether the last open command of the cascade was completed."""
        step = moment.step
        if step is None:
            return False
        if not self._cascade:
            self._cascade, self._open = {step.pending.command_id}, 1
        if step.pending.command_id in self._cascade:
            self._cascade.update(pending.command_id for pending in step.commands)
            self._open += len(step.commands) - step.ends
            self._open -= sum(each.command_id in self._cascade for each in step.taken_off)
        return not self._open


Kind = Literal[
    "command",
    "event",
    "process manager",
    "aggregate",
    "stream",
    "field",
    "rejection",
    "conflict",
    "deadline",
    "function",
]
_WORDS: tuple[Kind, ...] = ("rejection", "conflict", "deadline")

Read = Callable[[Any, str], Any]
"""Reads the value at a path in a state."""


class Target(NamedTuple):
    """What a breakpoint waits for. It names classes by their stored names, so it outlives a reload."""

    kind: Kind
    name: str = ""
    field: str = ""

    def __str__(self) -> str:
        words: Mapping[Kind, str] = {
            "field": f"{self.name}.{self.field}",
            "rejection": "rejections",
            "conflict": "conflicts",
            "deadline": "deadlines",
            "aggregate": f"commands to {self.name}",
        }
        return words.get(self.kind, self.name)


class Breakpoint:
    """A condition at which moves forward stop, and which `Lab.reverse` finds again.

    `hits` is how often the condition must hold on a branch before the breakpoint stops a move; `stopped` is
    how often the breakpoint has stopped one. `is_on` switches it off and on again. ``problem`` says why its
    function could not be asked, if it could not.
    """

    def __init__(
        self,
        owner: Stops,
        number: int,
        target: Target,
        function: Callable[[Moment], object] | None = None,
        when: Callable[[Moment], object] | None = None,
        hits: int = 1,
    ) -> None:
        self._owner, self.number, self.target, self.hits = owner, number, target, hits
        self.functions = [Asked(each) for each in (function, when) if each is not None]
        self._has_when = when is not None
        self._is_on, self.stopped, self.problem = True, 0, ""
        self._counted = _Counted()

    @property
    def is_on(self) -> bool:
        """Whether the breakpoint is on. Set it to False to switch the breakpoint off."""
        return self._is_on

    @is_on.setter
    def is_on(self, on: bool) -> None:
        self._is_on, self.problem = a_bool("is_on", on), ""
        self._owner.changed()

    def remove(self) -> None:
        """Take the breakpoint away."""
        self._owner.remove(self)

    def holds(self, trace: Trace, moment: Moment) -> bool:
        """Whether the condition holds at a moment; False where its function raises."""
        if not _happens(self, trace, moment):
            return False
        try:
            return all([each(moment, _held(moment), checked=self._owner.checked) for each in self.functions])
        except Exception as error:  # noqa: BLE001 - the function of a user may raise anything
            words = str(error) if isinstance(error, Changed) else words_of(error)
            self.problem = f"{words} (at step {moment.index:,})"
            return False

    def stops_at(self, trace: Trace, moment: Moment) -> bool:
        """Whether the condition holds at a moment, and held often enough on the branch up to there."""
        if not self.holds(trace, moment):
            return False
        return self.hits == 1 or self._counted.reaches(self, trace, moment.index)

    def state_in(self, trace: Trace, index: int) -> Any:
        """The state of the stream at a moment; None if there is none."""
        number = trace.index.lane_numbers.get(self.target.name)
        kind: LaneKind = "aggregate" if number is None else trace.index.lanes[number].kind
        return trace.branch.states_at(index)[kind].get(self.target.name)

    def read(self, state: Any) -> Any:
        """The value of the field in a state."""
        return self._owner.read(state, self.target.field)

    @property
    def key(self) -> str:
        """The name of this breakpoint among all breakpoints and watches."""
        return f"breakpoint {self.number}"

    @property
    def is_plain(self) -> bool:
        """Whether it stops each time, whatever else is true."""
        return self.hits == 1 and not self.functions

    def __str__(self) -> str:
        when = ", with a condition" if self._has_when else ""
        times = f", from time {self.hits:,} on" if self.hits > 1 else ""
        return f"breakpoint on {self.target}{when}{times}"

    def __repr__(self) -> str:
        return f"{self}: {self.status}"

    @property
    def status(self) -> str:
        """How often it has stopped a move, and whether it is off or broken."""
        off = "" if self.is_on else ", switched off"
        broken = f", broken: {self.problem}" if self.problem else ""
        return f"stopped {plural(self.stopped, 'time')}{off}{broken}"


class _Counted:
    """How often the condition of a breakpoint held up to a moment: a move forward counts each moment once."""

    def __init__(self) -> None:
        self._at, self._times = 0, 0
        self._step: Step | None = None
        self._reached: int | None = None

    def reaches(self, point: Breakpoint, trace: Trace, index: int) -> bool:
        """Whether the condition held at least `hits` times up to a moment of this branch."""
        if not self._is_of(trace):
            self.__init__()  # type: ignore[misc]
        while self._reached is None and self._at < index:
            self._at += 1
            moment = trace[self._at]
            self._step = moment.step
            self._times += point.holds(trace, moment)
            if self._times == point.hits:
                self._reached = self._at
        return self._reached is not None and index >= self._reached

    def _is_of(self, trace: Trace) -> bool:
        """Whether the moment up to which was counted is one of this branch."""
        return self._at <= trace.last and trace[self._at].step is self._step


def _held(moment: Moment) -> Iterator[tuple[str, Any]]:
    """What a function of a moment can reach, with a name for each."""
    step = moment.step
    if step is not None:
        yield "the command", step.command
        yield from (("the event", event.event) for event in step.recorded)
        yield from (("the state", state) for state in (step.before, step.after) if state is not None)
    yield from states_of(moment.stack, step)


def _happens(point: Breakpoint, trace: Trace, moment: Moment) -> bool:
    """Whether what a breakpoint waits for happens at a moment, whatever its functions say."""
    (kind, name, _), step = point.target, moment.step
    if kind == "function" or step is None:
        return kind == "function"
    match kind:
        case "command":
            return step.begins and step.pending.command_type == name
        case "event":
            return any(event.event_type == name for event in step.recorded)
        case "aggregate" | "process manager":
            is_met = step.begins if kind == "aggregate" else step.trigger is not None
            return is_met and step.subject is not None and step.subject.category == name
        case "stream" if step.stream_id == name:
            return step.begins or step.trigger is not None
        case "stream":
            return _is_projected(name, trace, moment)
        case "rejection":
            return step.decides and step.rejected is not None
        case "conflict":
            return isinstance(step, Conflicted)
        case "deadline":
            return isinstance(step, Elapsed) and bool(step.commands)
    return _changes(point, trace, moment, step)


def _changes(point: Breakpoint, trace: Trace, moment: Moment, step: Step) -> bool:
    """Whether a step changes the field of a breakpoint."""
    at, name = moment.index, point.target.name
    if step.stream_id != name and not _is_projected(name, trace, moment):
        return False
    before, now = point.state_in(trace, at - 1), point.state_in(trace, at)
    if before is now:
        return False
    if before is None and step.trigger is None:
        if step.after is None and not (isinstance(step, Appended) and step.states):
            return False  # loaded from its stream, not changed
        before = step.before if moment.decision is None else moment.decision.before
    return next(differences(point.read(before), point.read(now)), None) is not None


def _is_projected(name: str, trace: Trace, moment: Moment) -> bool:
    """Whether the stream is a projection that changed at that moment."""
    projections = trace.index.projections
    if not projections.types or moment.step is None or not moment.step.recorded:
        return False
    changes = projections.between(moment.index - 1, moment.index)
    return any(change.identity.stream_id == name for change in changes)


class Stops(WatchList):
    """The breakpoints, watches and invariants of a stepper; ``read`` reads the value at a path in a state."""

    def __init__(
        self, here: Callable[[], tuple[Trace, int]], changed: Callable[[], object], *, checked: bool
    ) -> None:
        super().__init__(here, changed, checked=checked)
        self.read: Read = lambda state, path: getattr(state, path, None)
        self.breakpoints: tuple[Breakpoint, ...] = ()
        self._made = 0

    def why(self, trace: Trace, moment: Moment) -> str:
        """Why a move stops at a moment, in words; "" if it does not."""
        found: list[Breakpoint | Watch] = [
            point for point in self.breakpoints if point.is_on and point.stops_at(trace, moment)
        ]
        for watch in tuple(self.watches.values()) if self.watches else ():
            if watch.must_hold and watch.is_on and watch.stops_at(trace, moment.index):
                found.append(watch)
        for each in found:
            each.stopped += 1
        return "; ".join([f"invariant {e.name!r} broke" if isinstance(e, Watch) else str(e) for e in found])

    @property
    def are_set(self) -> bool:
        """Whether any breakpoint or invariant may stop a move."""
        return any(each.is_on for each in self.breakpoints) or any(
            each.is_on and each.must_hold for each in self.watches.values()
        )

    def add(
        self,
        target: Target,
        function: Callable[[Moment], object] | None = None,
        when: Callable[[Moment], object] | None = None,
        hits: int = 1,
    ) -> Breakpoint:
        """A new breakpoint; the same one again, as when a cell is run again, switches the first one on."""
        hits = a_whole_number("break_on(hits)", hits, low=1)
        if when is not None:
            a_function("break_on(when)", when, "when=lambda moment: moment.step.command.amount > 100")
        codes = [code_of(each) for each in (function, when) if each is not None]
        for each in self.breakpoints:
            if (each.target, each.hits, [code_of(f.fn) for f in each.functions]) == (target, hits, codes):
                each.is_on = True
                return each
        self._made += 1
        point = Breakpoint(self, self._made, target, function, when, hits)
        self.breakpoints = (*self.breakpoints, point)
        self.changed()
        return point

    def remove(self, *points: Breakpoint) -> None:
        """Take breakpoints away."""
        self.breakpoints = tuple(each for each in self.breakpoints if each not in points)
        self.changed()


def target_of(what: Any, trace: Trace) -> tuple[Target, Any]:
    """What a breakpoint waits for, and the function if it was given one.

    Raises `InvalidValue` for what never comes, as a stream of a class that the model does not have.
    """
    parts = trace.branch.model.by_kind
    given = stream_id_of(what)
    if is_a(given, str):
        return _named(str.__str__(given), parts, trace), None
    pair = a_list("break_on(what)", given, "(stream id, field)") if is_a(given, tuple, list) else []
    if len(pair) == 2:
        return _field(pair[0], pair[1], parts, trace), None
    if is_a(given, type):
        return _class(stored_name(given), given.__name__, parts), None
    if callable(given):
        return Target("function", getattr(given, "__name__", "") or type(given).__name__), given
    raise wrong(
        "break_on(what)",
        what,
        "a class of the model, a stream id, 'rejection', 'conflict', 'deadline', (stream id, field), or a "
        "function of a moment, as in lambda moment: len(moment.agenda) > 3",
    )


def _class(name: str, shown: str, parts: Mapping[str, Iterable[type]]) -> Target:
    target = _part(name, parts)
    if target is None:
        known = [each for classes in parts.values() for each in by_name(classes)]
        raise InvalidModel(
            f"break_on({shown}): this class is not part of the lab's model; {_meant(name, known)}"
        )
    return target


def _part(name: str, parts: Mapping[str, Iterable[type]]) -> Target | None:
    """The target of a class of the model, by its stored name."""
    kind: Any = next((kind for kind, classes in parts.items() if name in by_name(classes)), None)
    return None if kind is None else Target("stream" if kind == "projection" else kind, name)


def _named(text: str, parts: Mapping[str, Iterable[type]], trace: Trace) -> Target:
    """The target of a text: a word, the name of a class, or a stream id."""
    word: Kind
    for word in _WORDS:
        if text == word:
            return Target(word)
    target = _part(text, parts)
    if target is None:
        _check_stream(text, parts, trace)
        return Target("stream", text)
    return target


def _check_stream(stream_id: str, parts: Mapping[str, Iterable[type]], trace: Trace) -> None:
    """Raise for a stream that never comes: there is none, and no class of the model has its category."""
    categories = [n for kind in ("aggregate", "process manager", "projection") for n in by_name(parts[kind])]
    category, dash, _ = stream_id.partition("-")
    if trace.index.known_since(stream_id) is None and not (dash and category in categories):
        streams = [lane.identity.stream_id for lane in trace.index.lanes.iterate(0, 1_000)]
        names = [*_WORDS, *(name for each in parts.values() for name in by_name(each))]
        raise InvalidValue(
            f"break_on({repr_of(stream_id)}): there is no such stream, and no class of that name; "
            f"{_meant(stream_id, [*streams, *names])}"
        )


def _field(stream_id: Any, field: Any, parts: Mapping[str, Iterable[type]], trace: Trace) -> Target:
    stream_id = a_text(
        "break_on((stream id, field))", stream_id_of(stream_id), "('BankAccount-1', 'balance')"
    )
    field = a_text("break_on((stream id, field))", field, "('BankAccount-1', 'balance')")
    _check_stream(stream_id, parts, trace)
    states = [cls for kind in ("aggregate", "process manager", "projection") for cls in parts[kind]]
    cls = by_name(states).get(Identity.parse(stream_id).category)
    names = None if cls is None else field_names(cls)
    head = field.partition(".")[0].partition("[")[0]
    if names is not None and head not in names:
        raise InvalidValue(
            f"break_on(({stream_id!r}, {field!r})): {stored_name(cls or object)} has no field "
            f"{repr_of(head)}; it has: {', '.join(names)}"
        )
    return Target("field", stream_id, field)


def _meant(name: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(known))
    near = get_close_matches(name, names, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
