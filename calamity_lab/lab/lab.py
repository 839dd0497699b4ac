"""The lab: one object that holds a model, a recorded run and a cursor on the run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from inspect import signature
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Self

from calamity_lab.errors import InvalidModel, InvalidValue, ModelError, UnknownAttribute, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import (
    a_bool,
    a_list,
    a_mapping,
    a_text_or_none,
    advised,
    an_instance,
    has,
    is_a,
    refuse_unknown,
    wrong,
)
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, check_sources, seeded_ids, system_clock
from calamity_lab.kernel.faults import ConcurrentWriter, Fault, Lose, Redeliver
from calamity_lab.kernel.folding import begun, fold, identity_in
from calamity_lab.kernel.identity import by_name, stored_name
from calamity_lab.kernel.progress import check_run
from calamity_lab.kernel.recorded import of_submitted
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.schema import field_names, remade
from calamity_lab.kernel.second_arguments import takes_record
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Step
from calamity_lab.lab.attachment import Attachment
from calamity_lab.lab.displays import AtMoment, Displays, progress
from calamity_lab.lab.exploring import Exploration, Start, exploration_of
from calamity_lab.lab.results import (
    ArmedFaults,
    Branches,
    Breakpoints,
    Committed,
    Comparison,
    Loaded,
    Notes,
    PendingCommands,
    Replay,
    SelectedEvents,
    SetDeadlines,
    SubmittedCommands,
    Watches,
)
from calamity_lab.lab.saved import SavedTrace, save
from calamity_lab.model import Model, assemble, check_aggregates, earlier_target
from calamity_lab.probe.near_misses import commands_for, near_misses
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.testing.scenarios import Scenario
from calamity_lab.text import plural
from calamity_lab.trace.compare import compare
from calamity_lab.trace.replay import Edits, submitted_on
from calamity_lab.trace.selection import Note, selection_of
from calamity_lab.trace.stepper import DEFAULT_LIMIT, Stepper
from calamity_lab.trace.stops import Breakpoint, target_of
from calamity_lab.trace.trace import Branch, Moment
from calamity_lab.trace.watches import Watch
from calamity_lab.views.paths import state_at
from calamity_lab.views.versions import history_of_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from calamity_lab.figures.style import Theme
    from calamity_lab.widgets.view_widget import Dock, ViewWidget

_PARTS = ("aggregates", "commands", "events", "process_managers", "projections")
_OPTIONS = (*_PARTS, "stack", "clock", "ids", "checked", "preview")


class Lab(Displays):
    """A model under study: send commands, run them step by step, go back, and look at every state.

    ``Lab(bank)`` takes a module (or a namespace, or a `Model`).
    ``Lab(aggregates=[BankAccount], process_managers=[Transfer], projections=[Turnover])`` takes classes.
    ``Lab(given(...).when(...))`` opens a scenario of `calamity_lab.testing` before its command.
    ``stack`` is the system to start from. It may also be a `Run` to continue, such as ``recover`` returns.
    ``ids`` and ``clock`` give ids and times. By default the ids are seeded, so that a run can be
    repeated, and the clock is the machine's. The lab calls each callback of the model twice and compares the
    answers, to find callbacks that are not pure; ``checked=False`` calls each callback once. What cannot be
    copied, such as a lock or an open file, is not checked: `unchecked` names such fields.
    Some views ask the model what has not happened, such as what a pending command would lead to. What it
    prints then is dropped, and a slow model is not waited for. ``preview=False`` asks nothing ahead.
    A warning names what is almost a part of the model, such as an aggregate that has no ``execute``.

    If the event store of the stack is a database, then every step writes to the database. You can still look
    at past moments, but you cannot act in the past. ``Lab.attach`` opens a database without writing to it.
    """

    _view: ViewWidget | None = None
    _dock: Dock | None = None
    _exploration: Exploration | None = None
    # Which cells of a notebook sent which commands, where %lab made the lab or replayed it.
    _cells: Any = None

    def __init__(
        self,
        model: ModuleType | Mapping[str, Any] | Model | Scenario | None = None,
        /,
        *,
        stack: Stack | Run | None = None,
        clock: Clock | Callable[[], datetime] | None = None,
        ids: Ids | Callable[[], str] | None = None,
        checked: bool = True,
        preview: bool = True,
        **parts: Iterable[type],
    ) -> None:
        refuse_unknown("Lab()", parts, _OPTIONS)
        if isinstance(model, Scenario):
            stack, model = model.start if stack is None else stack, model.model
        found = replace(_assembled(model, parts), asked=a_bool("Lab(preview)", preview))
        self.stepper = Stepper(
            _start(found, stack, clock, ids),
            checked=a_bool("Lab(checked)", checked),
            guard=self._check_model,
            model=found,
        )
        self.stepper.stops.read = state_at
        if not preview:
            self.stepper.trace.switch_off_previews()
        self._attachment: Attachment | None = None

    @classmethod
    def attach(
        cls,
        store: Any,
        model: ModuleType | Mapping[str, Any] | Model | None = None,
        /,
        *,
        position: int | None = None,
        clock: Clock | Callable[[], datetime] | None = None,
        ids: Ids | Callable[[], str] | None = None,
        recover: bool = False,
        checked: bool = True,
        preview: bool = True,
        **parts: Iterable[type],
    ) -> Self:
        """Open the history of a real store in a lab; the lab writes nothing to the store until `commit`.

        ``store`` is a database's URL, as in ``Lab.attach("sqlite:///bank.db", bank)``, or an event store.
        The model is given as for ``Lab(...)``. Moment 0 shows the aggregates and process managers as of
        ``position`` (by default the latest event). The lab reads the whole history once and then closes the
        database; it does not see what others write later. Ids are random. If you give a source of ids, none
        of its ids may be in the history.

        A store that keeps marks and an outbox, as SQLEventStore does, says what process managers were handed:
        they are handed nothing again. Its deadlines are set. With ``recover=True`` the lab has on its agenda
        what `recover` would carry out: the outstanding commands, and those that answer events which nobody
        handed on.

        An event for which the model has no class is shown as it was stored. An aggregate or a process manager
        whose callbacks fail on its events is left out. One warning names both.
        """
        refuse_unknown(
            "Lab.attach()", parts, (*_PARTS, "position", "clock", "ids", "recover", "checked", "preview")
        )
        assembled = _assembled(model, parts)
        attachment = Attachment(store, position, clock, ids, recover=recover)
        lab = cls(
            assembled,
            stack=attachment.open(assembled),
            checked=checked,
            preview=preview,
        )
        lab._attachment = attachment
        return lab

    # saved traces

    loaded: Loaded | None = None
    """What became of the trace that `load` read; None for a lab that was not loaded."""

    def save(self, path: str | PathLike[str], *, serializer: Serializer | None = None) -> Path:
        """Save the inputs of all branches, and what became of them, as JSON Lines; `load` opens the file.

        The file has no code and no pickle. A file that is there is replaced once all is written. Messages are
        written by their stored names; ``serializer`` gives names and versions other than the classes' own.
        """
        return save(self.stepper, path, _serializer("save", serializer, self.model))

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        model: ModuleType | Mapping[str, Any] | Model | None = None,
        /,
        *,
        clock: Clock | Callable[[], datetime] | None = None,
        ids: Ids | Callable[[], str] | None = None,
        serializer: Serializer | None = None,
        checked: bool = True,
        preview: bool = True,
        **parts: Iterable[type],
    ) -> Self:
        """Open a trace that `save` wrote: its inputs are decided again, on all its branches.

        The model is given as for ``Lab(...)``. Where it answers as it did, the trace is the same, with its
        ids and times. `loaded` says where it answers otherwise, and what is not known any more. ``clock`` and
        ``ids`` replace the saved ones. ``serializer`` has upcasters for messages of earlier versions.
        """
        refuse_unknown("Lab.load()", parts, (*_PARTS, "clock", "ids", "serializer", "checked", "preview"))
        assembled = _assembled(model, parts)
        saved = SavedTrace(path, assembled, _serializer("load", serializer, assembled), clock, ids)
        lab = cls(assembled, stack=saved.start, checked=checked, preview=preview)
        stepper = lab.stepper
        stepper.trace, stepper.cursor, found = saved.decide(stepper.trace)
        stepper.notes = saved.notes(stepper.trace)
        lab.loaded = Loaded({name: Replay(each) for name, each in found.items()}, saved.problems)
        return lab

    def commit(self) -> Committed:
        """Write the events of this branch, up to the cursor, to the store that the lab is attached to.

        One transaction writes all events that were not committed before. The returned `Committed` holds these
        events; it is empty if there was nothing to write. With the events go, into a store that keeps marks
        and an outbox, what was handed on, sent and settled: commands of process managers that are still
        pending are outstanding in the store, and `recover` carries them out. Submitted commands that are
        pending stay in this lab.

        Raises `CommitConflict`, and writes nothing, if a stream has new events in the store, if a process
        manager was handed events meanwhile, or if a command was settled; the error names these. The same
        happens on a branch that forked before events that another branch committed.
        Raises `InvalidValue` while a command is in progress at the cursor, and on a lab that is not attached.
        """
        if self._attachment is None:
            raise InvalidValue(
                "this lab is not attached to a store, so commit() has nowhere to write; "
                "open the store with Lab.attach(store, model)"
            )
        return self._attachment.commit(self.moment, self.model)

    @property
    def unchecked(self) -> Mapping[str, str]:
        """The fields that the check for pure callbacks leaves out, as they cannot be copied, and why."""
        return dict(self.stepper.unchecked)

    # moving

    def send(self, *commands: Any, metadata: Mapping[str, Any] | None = None) -> PendingCommands:
        """Put commands on the agenda; nothing runs yet. In the past this starts a new branch."""
        for command in commands:
            self._check_command(command)
        cells = self._cells
        if commands and not (cells and cells.send(self, commands, of_submitted(metadata))):
            self.stepper.submit(*commands, metadata=metadata)
            if cells:
                cells.sent(tuple([each.command_id for each in self.moment.agenda.pending[-len(commands) :]]))
        return self.agenda

    @advised("write step_in(), which runs one step. resume(limit=3) runs 3 steps, goto(3) goes to step 3")
    def step_in(self) -> Moment:
        """Run the smallest possible step."""
        return self.stepper.step_in()

    @advised("write step(), which runs one command. resume(limit=3) runs 3 steps, goto(3) goes to step 3")
    def step_over(self) -> Moment:
        """Run one whole command: the one in progress, or else the next one on the agenda."""
        with progress(self.stepper, "Step over"):
            return self.stepper.step_over()

    step = step_over

    @advised("write step_out(), which runs one command and all that it causes. goto(3) goes to step 3")
    def step_out(self) -> Moment:
        """Run one whole command and every command that it causes."""
        with progress(self.stepper, "Step out"):
            return self.stepper.step_out()

    @advised("write resume(), resume(limit=10) or resume(until=lambda moment: ...). goto(10) goes to step 10")
    def resume(
        self,
        *,
        limit: int = DEFAULT_LIMIT,
        until: Callable[[Moment], bool] | None = None,
        wait: bool = False,
    ) -> Moment:
        """Run until a breakpoint, until the agenda is empty, ``until(moment)`` is true, or ``limit`` steps.

        With ``wait=True`` time passes to the next deadline whenever the agenda is empty, until there are no
        more deadlines. A call that takes long shows a progress bar. If you interrupt it, the lab stays at the
        last whole step, and the next ``resume()`` goes on from there.
        """
        with progress(self.stepper, "Resume"):
            return self.stepper.resume(limit=limit, until=until, wait=wait)

    @advised(
        "write wait() for the next deadline, wait(timedelta(days=1)), or wait(datetime(..., tzinfo=UTC))"
    )
    def wait(self, to: datetime | timedelta | None = None, *, limit: int = DEFAULT_LIMIT) -> Moment:
        """Let time pass to the next deadline, for a while, or to a time; what is due then is on the agenda.

        On the way to a time, each deadline that is due before is carried out, with all that it causes before
        the next. A wait is an input like a command that was sent: in the past it begins a new branch, and a
        replay waits again. A clock that is a value jumps; the machine's is replaced by one that jumped.
        Raises `InvalidValue` for a time that is past, while a command is in progress, and for no time where
        there is no deadline.
        """
        with progress(self.stepper, "Wait"):
            return self.stepper.wait(to, limit=limit)

    @property
    def deadlines(self) -> SetDeadlines:
        """The commands that process managers set for later, in order of when they are due, at the cursor."""
        return SetDeadlines(self.moment.stack.deadlines, self.moment.run)

    # stops

    @advised("write reverse(), which goes back to the breakpoint before. goto(3) goes to step 3")
    def reverse(self) -> Moment:
        """Move the cursor back to where a breakpoint or a broken invariant stops a move, else to moment 0.

        It finds the same moments, in the other order, as `resume`.
        """
        with progress(self.stepper, "Reverse"):
            return self.stepper.reverse()

    def break_on(
        self, what: Any, when: Callable[[Moment], object] | None = None, hits: int = 1
    ) -> Breakpoint:
        """Set a breakpoint: `resume`, and every other move forward, stops there; `reverse` goes back to it.

        ``what`` is one of these::

            lab.break_on(WithdrawFunds)                    # a command is taken off the agenda
            lab.break_on(FundsWithdrawn)                   # an event is recorded
            lab.break_on(BankAccount)                      # any command to an aggregate of this type
            lab.break_on(Transfer)                         # a process manager reacts
            lab.break_on("BankAccount-1")                  # a command to it; or a reaction, a change
            lab.break_on(("BankAccount-1", "balance"))     # this field changes
            lab.break_on("rejection")                      # or "conflict", or "deadline": one is due
            lab.break_on(lambda moment: len(moment.agenda) > 3)

        ``when``, a function of the moment, must hold too. With ``hits=3`` the breakpoint stops at the third
        time, counted from the beginning of the branch, and from then on. The `Breakpoint` has ``is_on`` and
        ``remove()``. Breakpoints are the same on all branches.
        """
        target, function = target_of(what, self.trace)
        return self.stepper.stops.add(target, function, when, hits)

    @property
    def breakpoints(self) -> Breakpoints:
        """The breakpoints, in the order in which they were set."""
        return Breakpoints(self.stepper.stops)

    def watch(self, name: str, fn: Callable[[Stack], Any]) -> Watch:
        """Watch a value of each moment: ``lab.watch("accounts", lambda stack: len(stack.aggregates))``.

        `watches` has the values, `plot_watch` draws them. The `Watch` has ``is_on``, ``rename(name)`` and
        ``remove()``. The function only reads the stack; it is asked when a moment is looked at.
        """
        return self.stepper.stops.watch("watch", name, fn, must_hold=False)

    def invariant(self, name: str, fn: Callable[[Stack], Any]) -> Watch:
        """Watch something that must be true; `resume` and other moves stop where it turns false.

        A function that raises is shown as broken, and stops nothing.
        """
        return self.stepper.stops.watch("invariant", name, fn, must_hold=True)

    @property
    def watches(self) -> Watches:
        """The values of the watches and invariants at the cursor, by name."""
        return Watches(self.stepper.stops, self.trace, self.cursor)

    def plot_watch(self, name: str, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the value of a watch or an invariant at each step up to the cursor."""
        from calamity_lab.figures import plot_field

        view = history_of_values(self.watches.values_of(name))
        return plot_field(view, ax=ax, name=name, along="step", theme=theme)

    @advised("write step_back(), which goes back one step. goto(3) goes to step 3")
    def step_back(self) -> Moment:
        """Move the cursor one moment back; nothing is lost, and nothing is computed again."""
        return self.stepper.step_back()

    @advised("write step_back_over(), which goes back one command. goto(3) goes to step 3")
    def step_back_over(self) -> Moment:
        """Move the cursor to before the last command."""
        return self.stepper.step_back_over()

    @advised("write goto(3) for step 3, goto(-1) for the last step")
    def goto(self, moment: int | Note) -> Moment:
        """Move the cursor to the moment with that index; a negative index counts from the last moment.

        ``lab.goto(lab.notes[0])`` goes to the branch and the moment of a note, and selects what was selected.
        """
        given: Any = moment
        return self.stepper.goto_note(given) if is_a(given, Note) else self.stepper.goto(given)

    @advised("write at(3) for the views of step 3, at(-1) for those of the last step")
    def at(self, moment: int | Moment) -> AtMoment:
        """Fix the views at a moment: ``lab.at(60).state`` stays as it is when the lab steps or forks.

        ``moment`` is an index, where a negative one counts from the last moment, or a moment of any branch.
        """
        trace, index = self.trace.find(moment)
        return AtMoment(trace, index)

    @advised("write restart(), which goes to step 0. goto(3) goes to step 3")
    def restart(self) -> Moment:
        """Move the cursor to moment 0, before anything happened; the recorded run stays."""
        return self.stepper.restart()

    def choose(self, which: Any) -> PendingCommands:
        """Move a pending command to the front: ``which`` is its index, its id, or the command itself."""
        self.stepper.choose(which)
        return self.agenda

    def drop(self, which: Any) -> PendingCommands:
        """Take a pending command off the agenda: ``which`` is its index, its id, or the command itself."""
        self.stepper.drop(which)
        return self.agenda

    @advised(
        "write abandon(), which skips the command in progress. drop(0) takes a pending command off the agenda"
    )
    def abandon(self) -> PendingCommands:
        """Skip the command in progress: a new branch continues without it, from before it began."""
        self.stepper.abandon()
        return self.agenda

    @property
    def submitted(self) -> SubmittedCommands:
        """The commands that were submitted on this branch, numbered from 0."""
        return SubmittedCommands(submitted_on(self.stepper.trace.branch))

    def switch(self, branch: str) -> Moment:
        """Move to the last moment of another branch."""
        self.stepper.switch(branch)
        return self.stepper.moment

    def fork(self, name: str | None = None) -> Moment:
        """Begin a new branch at the cursor, and look at it; the branch so far does not change."""
        self.stepper.fork(name)
        return self.stepper.moment

    def rename(self, old: str, new: str) -> Branches:
        """Give a branch another name."""
        self.stepper.rename(old, new)
        return self.branches

    def remove(self, name: str) -> Branches:
        """Forget a branch. Raises `InvalidValue` for the one that is looked at."""
        self.stepper.remove(name)
        return self.branches

    def replay(
        self,
        *,
        without: Any = (),
        edit: Mapping[Any, Any] | None = None,
        insert: Mapping[Any, Any] | None = None,
        move: Mapping[Any, Any] | None = None,
        name: str | None = None,
    ) -> Replay:
        """Decide the inputs of this branch again, with edits, on a new branch; the lab then looks at it.

        The edits name submitted commands by their numbers in `submitted`, or give the command itself::

            lab.replay(without=3)                    # or a list of numbers
            lab.replay(edit={3: {"amount": 5}})      # other values for fields; or another command
            lab.replay(insert={3: command})          # before number 3; or a list of commands
            lab.replay(move={3: 1})                  # to the place of number 1

        Nothing is copied: the model decides again. So a command may be rejected that was accepted, process
        managers may send other commands, and the `Replay` says where. The old branch does not change.
        Raises `InvalidValue` for a number that is not there, and for fields that the command has not.
        """
        submitted = self.submitted
        edits = Edits(
            frozenset(submitted.number("replay(without)", each) for each in _listed(without)),
            {n: _edited(submitted, n, given) for n, given in _numbered(submitted, "edit", edit)},
            {n: self._inserted(given) for n, given in _numbered(submitted, "insert", insert)},
            {n: submitted.number("replay(move)", target) for n, target in _numbered(submitted, "move", move)},
        )
        return Replay(self.stepper.replay(edits, name))

    def reload(
        self,
        model: ModuleType | Mapping[str, Any] | Model | None = None,
        *,
        clock: Clock | Callable[[], datetime] | None = None,
        ids: Ids | Callable[[], str] | None = None,
    ) -> Replay:
        """Decide the inputs of this branch again on the classes as they are now, on a new branch.

        Call this after you changed a class of the model; ``%lab`` calls it. The classes are looked for where
        the lab found them: in the notebook, in the module as it is after ``importlib.reload``, or for listed
        classes each in its module. A ``model`` is a module, a namespace or a `Model` to take instead, and
        ``clock`` and ``ids`` replace those that the lab began with.

        The lab then looks at the new branch, and the earlier branch keeps its earlier classes: you can switch
        to it and look at it. Commands, and what the lab began with, are made again in the classes of now,
        which are found by their names, or by their ``stored_name`` if they were renamed. A command that does
        not fit its class any more is left out, and ``unplayed`` of the `Replay` says why. If no class is
        another one and all is decided as before, the lab stays on its branch.

        Raises `InvalidModel`, and changes nothing, if a class of the model still uses an earlier definition
        of another one, and if a state that the lab began with does not fit its class. Raises `InvalidValue`
        if the events are kept in a store. A lab from `attach` reads its history again, unless it has
        committed events.
        """
        sources = {name: given for name, given in (("clock", clock), ("ids", ids)) if given is not None}
        check_sources("Lab.reload", sources.get("clock", system_clock), sources.get("ids", RandomIds()))
        found = self.model.now() if model is None else assemble(model, {})
        check_aggregates(found, near_misses(found))
        found.check_now()
        found = replace(found, asked=self.model.asked)
        start = None if self._attachment is None else self._attachment.open(found)
        return Replay(self.stepper.reload(found, start, **sources))

    def _inserted(self, given: Any) -> tuple[Any, ...]:
        commands = _listed(given)
        for command in commands:
            self._check_command(command)
        return commands

    def compare(self, a: str | Branch, b: str | Branch | None = None, at: int | None = None) -> Comparison:
        """Compare two branches, by name: where they part, and which events, commands and fields differ.

        ``b`` is the current branch by default. The states and the pending commands are those at the end of
        each branch, or those at the moment ``at`` of both. Values are compared by their fields, so branches
        may have different definitions of a class. Raises `InvalidValue` for a branch that does not exist and
        for a moment that one of the branches does not have.
        """
        return Comparison(compare(self.trace, a, b, at))

    # exploring

    def explore(self, **given: Any) -> Exploration:
        """Follow everything that may happen from this moment, and check each state.

        It takes the arguments of `calamity_lab.explore`. Without ``invariants``, the invariants of the lab
        that are on must hold. The lab stays at its moment, and the tab "Explore" shows what was found.
        ``lab.exploration.violations[0].open_in(lab)`` goes to the moment where an invariant breaks.
        """
        refuse_unknown("explore()", given, list(signature(explore).parameters)[1:])
        watches = self.stepper.stops.watches
        holds = {name: watch.fn for name, watch in watches.items() if watch.must_hold and watch.is_on}
        self._exploration = explore(self, **{"invariants": holds, **given})
        self.stepper.select(self.stepper.selection)  # so that the widgets look again
        return self._exploration

    @property
    def exploration(self) -> Exploration | None:
        """What `explore`, or the tab "Explore", found last; None where nothing was explored."""
        return self._exploration

    # faults

    def inject(self, fault: Fault) -> ArmedFaults:
        """Let something go wrong: the fault is carried out at the next moment where it fits, as a step.

        ``ConcurrentWriter(stream_id, *events)``: another writer appends these events between a decision and
        its append, so that the append conflicts. ``Redeliver(event)``: process managers are handed an event a
        second time, a recorded one or the next of a class. ``Lose(command)``: a command of a process manager
        is lost, given as a class, as a command or as a pending one. ``Crash()``: the process ends after an
        append, and recovers. ``ClockJump(timedelta)``: the clock jumps ahead, or back by a negative time.

        Nothing happens yet: `faults` lists what is armed, and `take_back` takes one back. A fault is an input
        like a command that was sent: in the past it begins a new branch, and a replay carries it out again.
        """
        self._check_fault(fault)
        self.stepper.inject(fault)
        return self.faults

    def take_back(self, which: int | str | Fault) -> ArmedFaults:
        """Take an armed fault back: ``which`` is its index in `faults`, its id, or the fault itself."""
        self.stepper.take_back(which)
        return self.faults

    @property
    def faults(self) -> ArmedFaults:
        """The faults that are armed at the cursor, and what each waits for."""
        return ArmedFaults(self.stepper.moment.run.faults)

    def select(self, *what: int | str | Step | Pending | type) -> SelectedEvents:
        """Select messages in all views, and return the events among them.

        ``select("BankAccount-1")`` selects the events of a stream, ``select(12)`` the event at a position,
        ``select(3, 9)`` the events from one position to another, ``select(lab.steps[5])`` a step, such as a
        rejection, ``select(lab.agenda.pending[0])`` a pending command, ``select(WithdrawFunds)`` a class of
        the model, and ``select()`` clears the selection.
        Raises `InvalidValue` for something that is not on this branch; the selection then stays as it was.
        """
        self.stepper.select(selection_of(self.trace, what))
        return self.selected

    # notes

    def note(self, text: str) -> Notes:
        """Keep a finding with this branch, this moment and what is selected; `notes` lists all of them."""
        self.stepper.note(text)
        return self.notes

    @property
    def notes(self) -> Notes:
        """The notes that were kept, on all branches; ``lab.goto(lab.notes[0])`` goes to one."""
        return Notes(self.stepper.notes)

    # views with buttons

    @property
    def view(self) -> ViewWidget:
        """All views in one widget."""
        self._view = self._view or self._widget("lab")
        return self._view

    @property
    def controls(self) -> ViewWidget:
        """The buttons and the scrubber."""
        return self._widget("controls")

    @property
    def form(self) -> ViewWidget:
        """The agenda and the command form."""
        return self._widget("agenda")

    def dock(self, title: str | None = None) -> Dock | None:
        """Show the lab in a panel beside the notebook, in JupyterLab; call it again to show the same panel.

        ``title`` is the text on the tab of the panel; its ``close()`` closes the panel. Outside JupyterLab a
        warning says what works there, and the result is None. Raises `MissingExtra` if sidecar is missing.
        """
        title = a_text_or_none("dock(title)", title, "title='The bank'")
        from calamity_lab.widgets.view_widget import Dock, docked

        self._dock = self._dock or Dock(self._widget("lab"))
        return docked(self._dock, title)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or hasattr(type(self), name):
            return object.__getattribute__(self, name)  # whose own error it is
        near = get_close_matches(name, [known for known in dir(type(self)) if known[0] != "_"], n=3)
        meant = f"did you mean {' or '.join(f'lab.{each}' for each in near)}?" if near else "see help(lab)"
        raise UnknownAttribute(f"a lab has no {name!r}; {meant}", name=name, obj=self)

    def __repr__(self) -> str:
        branch = "" if len(self.branches) == 1 else f" of {self.trace.branch.name!r}"
        there = ", ".join(
            [
                plural(len(self.stack.aggregates), "aggregate"),
                plural(self.trace.index.events_at(self.cursor), "event"),
                plural(len(self.agenda), "pending command"),
            ]
        )
        return f"Lab at moment {self.cursor:,} of {self.trace.last:,}{branch}: {there}"

    def _ipython_display_(self) -> None:
        self.view._ipython_display_()

    def _display_(self) -> ViewWidget:
        """A new widget for each cell of marimo, which closes the widgets of a cell that it reruns."""
        return self._widget("lab")

    def _check_command(self, command: Any) -> None:
        """Raise for a command that cannot be dispatched, before it is on the agenda."""
        name = command.__name__ if is_a(command, type) else type(command).__name__
        if is_a(command, type):
            raise InvalidValue(
                f"send() needs a command, found the class {name}; make an instance: send({name}(...))"
            )
        if is_a(command, list, tuple) and not has(command, "aggregate"):
            raise InvalidValue(
                f"send() takes commands as separate arguments, found a {name}; write send(*commands)"
            )
        if type(command) in self.model.events:
            leads = ", ".join(f"{cls.__name__}(...)" for cls in commands_for(self.model, type(command)))
            raise InvalidValue(
                f"send() takes a command, and {name} is an event: a command leads to it. Send "
                f"{leads or 'a command'}"
            )
        target = ask.target(command).type
        self._check_model(type(command))
        if target not in self.model.aggregates and self.model.outdated(target):
            raise InvalidModel(earlier_target(type(command), target))

    def _check_fault(self, fault: Any) -> None:
        """Raise for a fault that does not fit the model, before it waits in vain."""
        if is_a(fault, ConcurrentWriter):
            self._check_writer(fault)
        if is_a(fault, Redeliver) and isinstance(fault.event, type) and has(fault.event, "aggregate"):
            raise InvalidValue(f"{fault!r}: {fault.event.__name__} is a command; give an event or its class")
        if is_a(fault, Lose) and fault.command_id is None:
            cls = fault.command if isinstance(fault.command, type) else type(fault.command)
            if not self.model.process_managers:
                raise InvalidValue(
                    f"{fault!r}: the model has no process manager that could send this command"
                )
            self._check_model(cls)

    def _check_writer(self, fault: ConcurrentWriter) -> None:
        """Raise for a stream of no aggregate, and for events that the aggregate cannot apply."""
        aggregates = by_name(self.model.aggregates)
        cls = aggregates.get(fault.stream_id.partition("-")[0])
        if cls is None or "-" not in fault.stream_id:
            known = ", ".join(f"'{name}-...'" for name in aggregates) or "none"
            raise InvalidValue(
                f"{fault!r}: this is the stream of no aggregate of the model; there are: {known}"
            )
        self._check_model(cls, *map(type, fault.events))
        if takes_record(cls):
            return
        identity = identity_in(cls, fault.stream_id)
        state = self.stack.aggregates.get(fault.stream_id)
        try:
            fold(begun(identity) if state is None else state, fault.events)
        except ModelError as error:
            raise InvalidValue(f"{fault!r}: {cls.__name__} cannot apply these events. {error}") from error

    def _check_model(self, *used: type) -> None:
        """Raise if a cell has redefined a class of the model, which would mix old and new classes."""
        model = self.model
        for cls in model.outdated(*used):
            others = {name: branch.model for name, branch in self.trace.branches.items()}
            now = [name for name, other in others.items() if other is not model and not other.outdated()]
            raise InvalidModel(model.why_outdated(cls, now[-1] if now else None))


def _assembled(
    given: ModuleType | Mapping[str, Any] | Model | None, parts: Mapping[str, Iterable[type]]
) -> Model:
    """The model that a lab was given; a warning says what is almost a part of it.

    A `Model` is taken as it is: who found it has its near misses, as ``%lab`` does.
    """
    model = assemble(given, parts)
    advice = near_misses(model)
    check_aggregates(model, advice)
    if advice and not is_a(given, Model):
        warnings.warn(". ".join(advice), stacklevel=3)
    return model


def _start(
    model: Model,
    start: Stack | Run | None,
    clock: Clock | Callable[[], datetime] | None,
    ids: Ids | Callable[[], str] | None,
) -> Stack | Run:
    """The stack or run to start from, with the model's process managers, the clock and the ids."""
    if start is None:
        start = Stack()
        ids, clock = seeded_ids(0) if ids is None else ids, system_clock if clock is None else clock
    if not is_a(start, Stack, Run):
        raise InvalidValue(
            f"Lab(stack=...) takes a Stack, or a Run to continue; found {type(start).__name__}"
        )
    if is_a(start, Run):
        check_run("Lab(stack)", start)
    stack = start.stack if isinstance(start, Run) else start
    stack = replace(
        stack, ids=stack.ids if ids is None else ids, clock=stack.clock if clock is None else clock
    )
    missing = [cls for cls in model.process_managers if cls not in stack.process_manager_types]
    if missing:
        stack = replace(stack, process_manager_types=(*stack.process_manager_types, *missing))
    return replace(start, stack=stack) if isinstance(start, Run) else stack


def _serializer(call: str, given: Any, model: Model) -> Serializer:
    if given is None:
        return Serializer(model)
    found: Serializer = an_instance(f"{call}(serializer)", given, Serializer, "Serializer(model)")
    return found


_MOST_LISTED = 1_000_000


def _listed(given: Any) -> tuple[Any, ...]:
    """One thing, or several in a list; a named tuple is one command."""
    if is_a(given, range) and len(given[: _MOST_LISTED + 1]) > _MOST_LISTED:
        raise wrong("replay(without)", given, f"at most {_MOST_LISTED:,} numbers")
    if not is_a(given, list, tuple, set, frozenset, range) or has(given, "aggregate"):
        return (given,)
    return tuple(a_list("replay()", given, "[3, 4]"))


def _numbered(submitted: SubmittedCommands, name: str, given: Any) -> Iterator[tuple[int, Any]]:
    if given is None:
        return
    call = f"replay({name})"
    for which, value in a_mapping(call, given, "{3: ...}").items():
        yield submitted.number(call, which), value


def _edited(submitted: SubmittedCommands, number: int, given: Any) -> Any:
    """A submitted command with other values for some fields, or another command in its place."""
    if not 0 <= number < len(submitted):
        return given  # the replay says which numbers there are
    command = submitted[number].command
    if not is_a(given, Mapping) or has(given, "aggregate"):
        return given
    unknown = [name for name in given if name not in (field_names(type(command)) or ())]
    if unknown:
        raise InvalidValue(
            f"replay(edit): {stored_name(type(command))} has no field {', '.join(map(repr_of, unknown))}; "
            f"it has: {', '.join(field_names(type(command)) or ())}"
        )
    return remade(command, given)


def explore(
    start: Start | Callable[..., Start],
    *,
    commands: Iterable[Any] | Callable[..., Iterable[Any]] | None = None,
    invariants: Any = (),
    eventually: Any = (),
    sometimes: Any = (),
    faults: Iterable[Any] = (),
    limit: int = 100_000,
    depth: int | None = None,
    strategy: Literal["breadth", "depth", "random"] = "breadth",
    seed: int = 0,
    by: Callable[[Stack], Any] | None = None,
    workers: Any = 1,
    time: Literal["any", "idle"] = "any",
    at_once: bool = True,
) -> Exploration:
    """Follow everything that may happen from a start, and check each state.

    ``start`` is a `Stack`, a `Run` or a `Lab` (its moment), or a function that returns one of these. A choice
    is one whole command: a pending one, in any order, or one of ``commands``: a list of commands that may be
    sent in any state, or a function of the stack that returns those for this state.

    ``invariants`` must hold in each state, ``eventually`` must come on each way, ``sometimes`` must hold in
    some state: functions of a stack, in a list or by name in a dict. It stops after ``limit`` states, and
    follows no state that is ``depth`` commands away from the start.

    ``faults`` may happen once each, at any moment where they fit: a fault, as in ``Crash()`` or
    ``Lose(DepositFunds)``, or the class `Lose` (any command that a process manager sent) or `Redeliver` (the
    latest event).

    With ``workers=2``, two processes of this machine explore by breadth, and find the same as one. They are
    forked from this one, so they know the classes of a notebook. For a small model, workers cost more than
    they give: they begin once 32 states wait for each of them. A worker takes about as much memory as one
    process that explores alone. ``workers`` may be the client of a Dask cluster, too: then each worker of the
    cluster explores, with a model that it can import, or one of a notebook.

    ``strategy`` is "breadth", which finds a shortest path to each violation, "depth", or "random": runs of
    ``depth`` commands (or 200) at random with this ``seed``, ``limit`` choices in all, whose paths are made
    shorter afterwards. ``by`` is a function of the stack that says what counts when two states are compared.

    Where deadlines are set, time may pass to the next one at ``time="any"`` moment, since a message may be on
    its way for as long as it likes; with ``"idle"`` only when nothing else can happen.

    An interrupt ends it, and gives what was found so far. With ``at_once=False`` nothing is looked at yet:
    `Exploration.go_on` does it for as many seconds as it is given.
    """
    found = exploration_of(
        start,
        Lab,
        commands=commands,
        invariants=invariants,
        eventually=eventually,
        sometimes=sometimes,
        faults=faults,
        limit=limit,
        depth=depth,
        strategy=strategy,
        seed=seed,
        by=by,
        workers=workers,
        time=time,
    )
    return found.resume(limit) if a_bool("explore(at_once)", at_once) else found
