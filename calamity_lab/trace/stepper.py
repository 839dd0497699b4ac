"""A cursor on a trace. It runs the kernel only at the frontier; everywhere else it moves a pointer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock
from time import monotonic
from typing import Any

from calamity_lab.errors import CalamityError, IdleRun, InvalidValue, ModelError, OutOfRange, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import a_bool, a_text, a_whole_number, words_of
from calamity_lab.kernel.faults import Fault, armed_fault
from calamity_lab.kernel.recorded import of_submitted
from calamity_lab.kernel.run import Run, advance, due_from_now, time_to_wait_for
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Step
from calamity_lab.model import Model
from calamity_lab.text import plural
from calamity_lab.trace.inputs import Armed, Chosen, Dropped, Input, Submitted, TakenBack, Waited
from calamity_lab.trace.purity import PurityCheck
from calamity_lab.trace.replay import Edits, Replayed, reload, replay
from calamity_lab.trace.selection import NOTHING, Note, Selection
from calamity_lab.trace.stops import Condition, EndsCascade, Stops, Times, Within, always, ends_command
from calamity_lab.trace.trace import Moment, Trace

DEFAULT_LIMIT = 100_000

BETWEEN = 0.3
"""Seconds between two looks of the observers during a move."""

SHARE = 10
"""The looks of the observers take at most one part in so many of the time of a move."""


class Stepper:
    """Moves a cursor along a recorded run, and records new steps at its end.

    ``cursor`` is the index of the current moment, ``selection`` what is selected in the run. ``error`` is the
    error that stopped the last move forward, if any; the cursor is then at the moment before, and nothing
    is lost. ``branching`` says that the last change began another branch, or entered one again.
    With ``checked`` every callback of the model is asked twice, to find one that is not pure; ``unchecked``
    says which fields hold something that cannot be copied, and is not checked.
    ``model`` are the classes of the run, whose projections are folded from its events.
    ``guard`` is called before a move runs the kernel; it may raise to prevent the move. ``passing`` is called
    with each moment on the way of a move forward. ``was_interrupted`` is true after a KeyboardInterrupt.
    ``stops`` are the breakpoints, watches and invariants. ``stopped`` says where one of them stopped the last
    move, and why.
    A stepper begins with a stack or with a run; with a trace and ``fixed_at`` it stays at that moment. Where
    the event store keeps what was recorded, as a database does, the past can be looked at, but not changed.
    """

    def __init__(
        self,
        start: Stack | Run | Trace,
        *,
        checked: bool = True,
        guard: Callable[[], object] = lambda: None,
        model: Model | None = None,
        fixed_at: int | None = None,
    ) -> None:
        self.checked = checked
        self.unchecked: dict[str, str] = {}
        with self._asking():
            self.trace = start if isinstance(start, Trace) else Trace.of(start, model)
        self.cursor, self.is_fixed = fixed_at or 0, fixed_at is not None
        self.selection = NOTHING
        self.notes: tuple[Note, ...] = ()
        self.guard = guard
        self.passing: Callable[[Moment], object] = lambda moment: None
        self._guarded = False
        self.error: CalamityError | None = None
        self.branching = ""
        self.was_interrupted = False
        self.stops = Stops(lambda: (self.trace, self.cursor), self._stops_changed, checked=checked)
        self.stopped = ""
        # A kernel may answer widgets in one thread while a cell runs in another.
        self._lock = RLock()
        self._observers: list[Callable[[], object]] = []
        self._due = 0.0
        self._nested = 0

    @property
    def moment(self) -> Moment:
        """The current moment."""
        return self.trace[self.cursor]

    @property
    def is_stuck(self) -> bool:
        """Whether a callback of the model failed during a command, so that only `abandon` leads on."""
        before = self._before_command()
        return (
            isinstance(self.error, ModelError)
            and self.moment.run.progress is not None
            and before >= 0
            and not self.trace.recorded_since(before)
        )

    @property
    def interruption(self) -> str:
        """Where an interrupt stopped the last move, and what goes on from there."""
        return f"Stopped at step {self.cursor:,}: interrupted. lab.resume() goes on"

    @property
    def at_end(self) -> bool:
        """Whether the cursor is at the last moment, and the run is idle."""
        return self.cursor == self.trace.last and self.moment.run.idle

    def observe(self, observer: Callable[[], object]) -> Callable[[], None]:
        """Call the observer after each change, and now and then during a long move.

        Returns the function that ends it.
        """
        self._observers.append(observer)
        return lambda: self._observers.remove(observer) if observer in self._observers else None

    def submit(self, *commands: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Put commands at the end of the agenda of the current moment."""
        self.put(Submitted(commands, of_submitted(metadata)))

    def choose(self, which: Any) -> None:
        """Move a pending command to the front: ``which`` is its index, its id, or the command itself."""
        self.put(Chosen.of(self.moment.agenda.find(which)))

    def drop(self, which: Any) -> None:
        """Take a pending command off the agenda: ``which`` is its index, its id, or the command itself."""
        self.put(Dropped.of(self.moment.agenda.find(which)))

    def inject(self, fault: Fault) -> None:
        """Arm a fault: it is carried out at the next moment where it fits."""
        self.put(Armed(fault))

    def take_back(self, which: int | str | Fault) -> None:
        """Take an armed fault back: ``which`` is its index, its id, or the fault itself."""
        armed = armed_fault(self.moment.run, which)
        self.put(TakenBack(armed.fault_id, armed.fault))

    def put(self, entry: Input) -> None:
        """Put an input into the run at the current moment; in the past this begins a new branch."""
        with self._change():
            self._refuse_if_kept(self.cursor)
            self._act(self.trace.put(self.cursor, entry))

    def abandon(self) -> None:
        """Skip the command in progress: a new branch continues without it, from before it began."""
        progress, before = self.moment.run.progress, self._before_command()
        if progress is None:
            raise InvalidValue("No command is in progress. To skip a pending command, use drop(index)")
        given_up = progress.pending.command_id
        if before < 0:
            raise InvalidValue(
                f"{progress.pending.command_type} was in progress when this trace began, so the moment "
                "before it is not known. Step to its end, or begin with a run in which no command is in "
                "progress"
            )
        self._refuse_if_kept(before)
        with self._change():
            self.cursor = before
            (self.take_back if isinstance(progress.pending.command, Fault) else self.drop)(given_up)

    def step_in(self) -> Moment:
        """Run the smallest possible step."""
        return self.go(always)

    def step_over(self) -> Moment:
        """Run to the end of the command in progress, or else of the next command."""
        return self.go(ends_command)

    def step_out(self) -> Moment:
        """Run to the end of that command and of everything that it causes."""
        return self.go(EndsCascade())

    def go(self, *stops: Condition) -> Moment:
        """Go forward until one of the conditions holds, or a breakpoint or a broken invariant stops the move.

        Each condition is asked at every new moment.
        """
        with self._change():
            is_there, may_stop = False, self.stops.are_set
            self._due = monotonic() + BETWEEN
            while not is_there:
                self._forward()
                moment = self.moment
                self.passing(moment)
                if self._observers and monotonic() > self._due:
                    self._look()
                if may_stop and (why := self.stops.why(self.trace, moment)):
                    self._stop(why)
                is_there = any([stop(moment) for stop in stops]) or bool(self.stopped)
        return self._reached()

    def _look(self) -> None:
        """Let the observers look on the way of a long move; they take a small part of its time."""
        began = monotonic()
        for observer in tuple(self._observers):
            observer()
        ended = monotonic()
        self._due = ended + max(BETWEEN, SHARE * (ended - began))

    def wait(self, to: datetime | timedelta | None = None, *, limit: int = DEFAULT_LIMIT) -> Moment:
        """Let time pass to the next deadline, or to a time; what is due then is on the agenda.

        On the way to a time, what is due before is carried out, each with all that it causes before the next.
        A breakpoint or a broken invariant stops on the way, and so do ``limit`` steps.
        """
        limit = a_whole_number("wait(limit)", limit, low=1)
        with self._change():
            until = time_to_wait_for(self.moment.run, to)
            if until is None:
                self.put(Waited())
                return self.step_in()
            end = self.cursor + limit
            while not self._waited(until):
                if self.cursor < end:
                    is_done = EndsCascade()
                    is_done(self.moment)  # it begins with what is due
                    self.go(is_done, Times(end - self.cursor), self._is_at_end)
                if self.stopped or self.cursor >= end:
                    return self._reached()
        return self._reached()

    def _waited(self, until: datetime) -> bool:
        """Wait for the next deadline before a time, or else to that time: whether the time has come."""
        stack = self.moment.run.stack
        following = stack.deadlines.first
        to = until if following is None else min(due_from_now(stack, following), until)
        self.put(Waited(to))
        self.step_in()
        return to == until or bool(self.stopped)

    def resume(
        self,
        *,
        limit: int = DEFAULT_LIMIT,
        until: Callable[[Moment], bool] | None = None,
        wait: bool = False,
    ) -> Moment:
        """Run until the agenda is empty, ``until(moment)`` is true, or ``limit`` steps have run.

        With ``wait``, time passes to the next deadline whenever nothing else is to be done.
        """
        limit = a_whole_number("resume(limit)", limit, low=1)
        waits = a_bool("resume(wait)", wait)
        is_there = None if until is None else _Until(until)
        stops: list[Condition] = [self._is_at_end, *([] if is_there is None else [is_there])]
        with self._change():
            end = self.cursor + limit
            while True:
                if not self.at_end:
                    self.go(Times(end - self.cursor), *stops)
                is_done = self.stopped or self.cursor >= end or (is_there is not None and is_there.was_true)
                if not waits or is_done or not self.at_end:
                    break
                if self.moment.run.stack.deadlines.first is None:
                    break
                self.put(Waited())
        return self._reached()

    def reverse(self) -> Moment:
        """Back to the last moment before the cursor at which a breakpoint or a broken invariant stops a move.

        If there is none, to moment 0.
        """
        self._refuse_at_start("go back")
        with self._change():
            before = self.cursor
            for index in range(before - 1, 0, -1):
                if why := self.stops.why(self.trace, self.trace[index]):
                    self.cursor = index
                    self._stop(why)
                    break
            else:
                self.cursor = 0
                self._stop(
                    f"no breakpoint stops before step {before:,}"
                    if self.stops.are_set
                    else "no breakpoint is set; set one with lab.break_on(...)"
                )
        return self._reached()

    def _stop(self, why: str) -> None:
        self.stopped = f"Stopped at step {self.cursor:,}: {why}"

    def _reached(self) -> Moment:
        """The current moment; it says why the move stopped, if a breakpoint or an invariant stopped it."""
        return replace(self.moment, stopped=self.stopped) if self.stopped else self.moment

    def step_back(self) -> Moment:
        """One moment back."""
        self._refuse_at_start("step back")
        return self.goto(self.cursor - 1)

    def step_back_over(self) -> Moment:
        """Back to before the command that is in progress, or else before the one that was done last."""
        self._refuse_at_start("step back")
        return self.goto(max(self._before_command(), 0))

    def goto(self, index: int) -> Moment:
        """To that moment; a negative index counts from the last one."""
        index = a_whole_number("goto(moment)", index, low=None)
        self.trace[index]  # raises OutOfRange, which names the known moments
        with self._change():
            self.cursor = index % len(self.trace)
        return self.moment

    def restart(self) -> Moment:
        """To the moment before anything happened; the recorded moments stay."""
        return self.goto(0)

    def select(self, selection: Selection) -> None:
        """Pick something out of the run, for all who look at it; nothing moves."""
        with self._lock:
            self.selection = selection
            self._notify()

    def note(self, text: str) -> None:
        """Keep a text with this branch, this moment and what is selected."""
        text = a_text("note(text)", text, "note('here the balance is wrong')").strip()
        if not text:
            raise InvalidValue("note(text): the text is empty; write what you have found")
        with self._lock:
            self.notes = (*self.notes, Note(text, self.trace.branch.name, self.moment, self.selection))
            self._notify()

    def goto_note(self, note: Note) -> Moment:
        """To the branch and the moment of a note, with what was selected there."""
        branches = self.trace.branches
        known = self.trace if note.branch not in branches else self.trace.switch(note.branch)
        there, index = known.find(note.moment)  # raises where no branch has this moment any more
        with self._change():
            self.trace, self.cursor, self.selection = there, index, note.selection
        return self.moment

    def switch(self, branch: str) -> None:
        """To another branch, at its latest moment."""
        with self._change():
            self.trace = self.trace.switch(branch)
            self.cursor = self.trace.last

    def fork(self, name: str | None = None) -> None:
        """Begin a new branch at the cursor, and look at it."""
        with self._change():
            self._refuse_if_kept(self.cursor)
            self._act(self.trace.fork(self.cursor, name))

    def rename(self, old: str, new: str) -> None:
        """Give a branch another name."""
        with self._change():
            self.trace = self.trace.rename(old, new)
            before, after = (a_text("rename(name)", each, "'what if'").strip() for each in (old, new))
            self.notes = tuple(
                note._replace(branch=after) if note.branch == before else note for note in self.notes
            )

    def remove(self, name: str) -> None:
        """Forget a branch that is not looked at."""
        with self._change():
            self.trace = self.trace.remove(name)

    def replay(self, edits: Edits, name: str | None = None) -> Replayed:
        """Decide the inputs of the branch again, with edits, on a new branch; look at its latest moment.

        Where a callback of the model fails, the new branch ends before that call, and ``error`` says so.
        """
        with self._change():
            self._refuse_if_kept(0)
            self.guard()
            with self._asking():
                replayed = replay(self.trace, edits, name=name)
            self.trace, self.cursor = replayed.trace, replayed.trace.last
            self.error = replayed.error
        return replayed

    def reload(self, model: Model, start: Run | None = None, **sources: Any) -> Replayed:
        """Decide the inputs of the branch again by another model, on a new branch; look at its latest moment.

        As `replay` does, and see `calamity_lab.trace.replay.reload`. Nothing changes where this raises.
        """
        with self._lock:
            if self._nested:
                raise InvalidValue(
                    "lab.reload() was called while the lab runs a step, as by a callback of the model. Call "
                    "lab.reload() after the step"
                )
            with self._change():
                self._refuse_if_kept(0)
                with self._asking():
                    replayed = reload(self.trace, model, start, **sources)
                is_kept = replayed.trace.branch.moments is self.trace.branch.moments
                self.trace = replayed.trace
                self.cursor = self.cursor if is_kept else replayed.trace.last
                self.error, self.branching = replayed.error, "" if is_kept else replayed.sentence
        return replayed

    def _refuse_at_start(self, verb: str) -> None:
        if self.cursor == 0:
            raise OutOfRange(f"cannot {verb}: this is moment 0, before anything happened")

    def _act(self, after: Trace) -> None:
        before, self.trace = self.trace, after
        new, old = after.branch.name, before.branch.name
        if new in before.branches:
            self.branching = f"Back on {new!r}, which did the same here" if new != old else ""
        else:
            self.branching = f"New branch {new!r} from step {self.cursor:,}; {old!r} is kept"

    def _before_command(self) -> int:
        """The moment before the command of this one was dispatched; negative where the trace has none."""
        return self.trace.index.command_start(self.cursor) - 1

    def _forward(self) -> Step:
        """One moment on: along the recorded ones, at the frontier by the kernel."""
        if self.cursor == self.trace.last:
            if not self._guarded:
                self.guard()
                self._refuse_if_kept(self.cursor)
                self._guarded = True
            with self._asking():
                self.trace = self.trace.append(*advance(self.moment.run))
        self.cursor += 1
        step = self.moment.step
        if step is None:
            raise IdleRun(self.moment.run)
        return step

    def _asking(self) -> AbstractContextManager[None]:
        """How the model is asked: watched or not."""
        return ask.through(PurityCheck(self.unchecked)) if self.checked else nullcontext()

    def _refuse_if_kept(self, at: int) -> None:
        """Refuse to act before events that a store keeps: they would happen a second time."""
        kept = self.trace.recorded_since(at)
        if kept:
            raise InvalidValue(
                f"The run cannot be changed at moment {at:,}: {self.trace[at].stack.event_store!r} keeps the "
                f"{plural(kept, 'event')} of the moments after it. Continue from the last moment of the "
                "branch with those events (goto(-1)). To change the past, open "
                "the history with Lab.attach(store, model), which writes nothing"
            )

    def _is_at_end(self, moment: Moment) -> bool:
        return self.at_end

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One change as its observers see it: they are called once, also after an error."""
        with self._lock:
            yield from self._changing()

    def _changing(self) -> Iterator[None]:
        if self.is_fixed:
            raise InvalidValue(f"This view stays at step {self.cursor:,}. To move, use the lab")
        self.error, self.branching, self._guarded, self._nested = None, "", False, self._nested + 1
        self.was_interrupted, self.stopped = False, ""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            self.was_interrupted = True
            if self._nested == 1:  # a move may be made of others
                interrupt.add_note(self.interruption)
            raise
        except CalamityError as error:
            self.error = error
            if self.is_stuck and self._nested == 1:
                error.add_note(
                    f"Stopped at step {self.cursor:,}, before the failing call. Fix the class and run %lab, "
                    "or skip this command with lab.abandon()."
                )
            raise
        finally:
            self._nested -= 1
            self._notify()

    def _stops_changed(self) -> None:
        """Tell the observers that a breakpoint or a watch has changed; nothing moves."""
        with self._lock:
            self._notify()

    def _notify(self) -> None:
        if not self._nested:
            for observer in tuple(self._observers):
                observer()


class Journey:
    """A move forward that is made in parts, so that you can look, or stop, in between.

    ``verb`` is its name; ``steps`` and ``commands`` count what was done so far.
    """

    def __init__(self, verb: str, stepper: Stepper, *stops: Condition) -> None:
        self.verb, self._stepper, self._stops = verb, stepper, stops
        self.steps = self.commands = 0
        self._is_there = False
        self._stand()

    @property
    def is_open(self) -> bool:
        """Whether it goes on from here: its end is not reached, and nobody else has moved since."""
        stepper = self._stepper
        return not self._is_there and stepper.trace is self._trace and stepper.cursor == self._cursor

    def go_on(self, seconds: float) -> None:
        """Make one part; it begins no step after so many seconds. An error ends the whole journey."""
        self._is_there = True
        self._stepper.go(self._passes, Within(seconds))
        self._is_there = self._is_there or bool(self._stepper.stopped)
        self._stand()

    def _stand(self) -> None:
        self._trace, self._cursor = self._stepper.trace, self._stepper.cursor

    def _passes(self, moment: Moment) -> bool:
        self.steps += 1
        self.commands += ends_command(moment)
        self._is_there = any([stop(moment) for stop in self._stops]) or self._stepper.at_end
        return self._is_there


class _Until:
    """A condition of a caller, which knows whether it was true.

    An error that it raises is shown by name, and the run stays where it is.
    """

    def __init__(self, until: Callable[[Moment], bool]) -> None:
        if not callable(until):
            raise InvalidValue(
                f"resume(until={repr_of(until)}): give a function of a moment, as in until=lambda m: m.rests"
                "; goto(n) goes to a moment, limit=n does so many steps"
            )
        self.was_true, self._until = False, until

    def __call__(self, moment: Moment) -> bool:
        """Whether it is true at this moment."""
        try:
            self.was_true = bool(self._until(moment)) or self.was_true
        except Exception as error:
            raise InvalidValue(
                f"resume(until={repr_of(self._until)}) raised {words_of(error)} at moment {moment.index:,}: "
                "give a function of a moment, as in until=lambda m: m.rests"
            ) from error
        return self.was_true
