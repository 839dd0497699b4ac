"""The notebook's face: one object that holds a model, a recorded run and a cursor on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import ModuleType
from typing import Any, Self

from calamity_lab.errors import InvalidModel, InvalidValue, refuse_unknown
from calamity_lab.frames import History
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.sources import Clock, Ids, seeded_ids, system_clock
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab.attachment import Attachment
from calamity_lab.lab.displays import Displays
from calamity_lab.lab.readings import Committed, PendingCommands, States, Steps
from calamity_lab.model import Model, assemble
from calamity_lab.stepper import DEFAULT_LIMIT, Stepper
from calamity_lab.text import plural
from calamity_lab.trace.moment import Moment
from calamity_lab.trace.selection import selected_events, selection_of
from calamity_lab.trace.trace import Branch, Trace

_PARTS = ("aggregates", "commands", "events", "process_managers")
_OPTIONS = (*_PARTS, "stack", "clock", "ids", "checked")


class Lab(Displays):
    """A model on the bench: send commands, step them, go back, look.

    ``Lab(bank)`` takes a module (or a namespace, or a `Model`);
    ``Lab(aggregates=[BankAccount], process_managers=[Transfer])`` takes classes.
    ``stack`` is the system to begin with, or a `Run` to go on with, as ``recover`` gives one; ``ids`` and
    ``clock`` are its sources (by default seeded ids, so that a run can be repeated, and the time of the
    machine). ``checked=False`` believes the model without asking its callbacks twice.
    On a stack whose event store keeps what is recorded, as a database does, each step is real: the past can
    be looked at, but not acted in. ``Lab.attach`` opens such a history without writing to it.
    """

    def __init__(
        self,
        model: ModuleType | Mapping[str, Any] | Model | None = None,
        /,
        *,
        stack: Stack | Run | None = None,
        clock: Clock | Callable[[], datetime] | None = None,
        ids: Ids | Callable[[], str] | None = None,
        checked: bool = True,
        **parts: Iterable[type],
    ) -> None:
        refuse_unknown("Lab()", parts, _OPTIONS)
        self.model = assemble(model, parts)
        self.stepper = Stepper(
            _start(self.model, stack, clock, ids), checked=checked, guard=self._check_model
        )
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
        checked: bool = True,
        **parts: Iterable[type],
    ) -> Self:
        """A lab on a real history: step, go back and fork on top of its events; nothing is written to it.

        ``store`` is a database's URL, as in ``Lab.attach("sqlite:///bank.db", bank)``, or an event store; the
        model is given as for ``Lab(...)``. It is opened as of ``position`` (by default its latest event), at
        which moment 0 shows the aggregates and process managers; what others write later is not seen.
        The whole history is read, and the database let go. Ids are random, unless you give a source of
        which none is in the history yet.

        Where the model has no class for an event, that is shown as it was stored; an aggregate or process
        manager that cannot take what happened to it is left out. One warning tells both.
        """
        refuse_unknown("Lab.attach()", parts, (*_PARTS, "position", "clock", "ids", "checked"))
        assembled = assemble(model, parts)
        attachment = Attachment(store, assembled)
        lab = cls(assembled, stack=attachment.open(position, clock, ids), checked=checked)
        lab._attachment = attachment
        return lab

    def commit(self) -> Committed:
        """Write what this branch recorded up to the cursor to the store that the lab is attached to.

        All of it in one transaction, and only what was not committed before; what was written is returned,
        and is empty where there was nothing to write. Every stream must stand where the branch built on it:
        else `CommitConflict` tells which have moved on, nothing is written, and the lab stands as before. So
        it is with a branch that left before what was committed from another. Raises `InvalidValue` while a
        command is in progress at the cursor, and on a lab that is not attached.

        Only events are written. Commands that are still on the agenda are in this lab and nowhere else.
        """
        if self._attachment is None:
            raise InvalidValue(
                "this lab is not attached to a store, so there is nothing to commit to; "
                "Lab.attach(store, model) opens a history that can be committed to"
            )
        return self._attachment.commit(self.moment)

    # moving

    def send(self, *commands: Any, metadata: Mapping[str, Any] | None = None) -> PendingCommands:
        """Put commands on the agenda; nothing happens yet. In the past this begins a new branch."""
        for command in commands:
            self._check_command(command)
        if commands:
            self.stepper.submit(*commands, metadata=metadata)
        return self.agenda

    def step_in(self) -> Moment:
        """One kernel step."""
        return self.stepper.step_in()

    def step(self) -> Moment:
        """One whole command: the one in progress, or else the next."""
        return self.stepper.step_over()

    def step_out(self) -> Moment:
        """The command and all that it causes."""
        return self.stepper.step_out()

    def resume(self, *, limit: int = DEFAULT_LIMIT, until: Callable[[Moment], bool] | None = None) -> Moment:
        """On until the agenda is empty, ``until`` holds, or ``limit`` steps are done."""
        return self.stepper.resume(limit=limit, until=until)

    def step_back(self) -> Moment:
        """One moment back; nothing is lost, nothing is computed again."""
        return self.stepper.step_back()

    def step_back_over(self) -> Moment:
        """Back to before the last command."""
        return self.stepper.step_back_over()

    def goto(self, moment: int) -> Moment:
        """To that moment; a negative number counts from the last one."""
        return self.stepper.goto(moment)

    def restart(self) -> Moment:
        """To the moment before anything happened; what was recorded stays."""
        return self.stepper.restart()

    def choose(self, place: int) -> PendingCommands:
        """Let the pending command at that place of the agenda go next."""
        self.stepper.choose(place)
        return self.agenda

    def drop(self, place: int) -> PendingCommands:
        """Take the pending command at that place off the agenda."""
        self.stepper.drop(place)
        return self.agenda

    def abandon(self) -> PendingCommands:
        """Take the command in progress back and off the agenda: a new branch goes on without it."""
        self.stepper.abandon()
        return self.agenda

    def switch(self, branch: str) -> Moment:
        """To the latest moment of another branch."""
        self.stepper.switch(branch)
        return self.moment

    # what is true at the cursor

    @property
    def cursor(self) -> int:
        """The index of the moment looked at; 0 is the moment before anything happened."""
        return self.stepper.cursor

    @property
    def trace(self) -> Trace:
        """All recorded moments of the current branch."""
        return self.stepper.trace

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The branches of the trace; acting in the past made them."""
        return tuple(self.trace.branches.values())

    @property
    def moment(self) -> Moment:
        """The moment looked at."""
        return self.stepper.moment

    @property
    def run(self) -> Run:
        """The run at the cursor, a value to go on with anywhere."""
        return self.moment.run

    @property
    def stack(self) -> Stack:
        """The whole system at the cursor, as a value."""
        return self.moment.stack

    @property
    def agenda(self) -> PendingCommands:
        """The commands that are pending at the cursor."""
        return PendingCommands(self.moment.agenda)

    @property
    def aggregates(self) -> States:
        """The aggregates at the cursor, by stream id."""
        from calamity_lab.frames import aggregates_to_pandas

        trace, cursor, types = self.trace, self.cursor, {cls.__name__: cls for cls in self.model.aggregates}
        return States("aggregate", self.stack.aggregates, lambda: aggregates_to_pandas(trace, cursor, types))

    @property
    def process_managers(self) -> States:
        """The process manager instances at the cursor, by stream id."""
        from calamity_lab.frames import process_managers_to_pandas

        trace, cursor = self.trace, self.cursor
        return States(
            "process manager", self.stack.process_managers, lambda: process_managers_to_pandas(trace, cursor)
        )

    @property
    def events(self) -> History:
        """The events recorded up to the cursor."""
        index = self.trace.index
        return History(index.events.take(index.events_at(self.cursor)))

    def select(self, *what: int | str) -> History:
        """Pick something out for all views to show, and have its events.

        ``select("BankAccount-1")`` is a stream, ``select(12)`` the event at a position, ``select(3, 9)`` the
        events from one position to another, and ``select()`` nothing. Raises `InvalidValue` for what is not
        on this branch, and selects nothing then.
        """
        self.stepper.select(selection_of(self.trace, what))
        return self.selected

    @property
    def selected(self) -> History:
        """The events that are selected, here or in a widget: past ones and future ones."""
        return History(selected_events(self.trace, self.stepper.selection))

    @property
    def history(self) -> History:
        """The event history up to the cursor, to be exported."""
        return self.events

    @property
    def steps(self) -> Steps:
        """The steps up to the cursor."""
        from calamity_lab.frames import steps_to_pandas

        trace, cursor = self.trace, self.cursor
        taken = [moment.step for moment in trace.branch.moments.iterate(1, cursor + 1) if moment.step]
        return Steps(taken, lambda: steps_to_pandas(trace, cursor))

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

    def _check_command(self, command: Any) -> None:
        """Refuse a command that could not be dispatched, while nothing is lost by it."""
        name = command.__name__ if isinstance(command, type) else type(command).__name__
        if isinstance(command, type):
            raise InvalidValue(f"send() needs a command, found the class {name}; make one: {name}(...)")
        if isinstance(command, (list, tuple)) and not hasattr(command, "aggregate"):
            raise InvalidValue(
                f"send() takes commands one by one, found a {name}; unpack it: send(*commands)"
            )
        identity = callbacks.target(command)
        self._check_model(type(command), identity.type)

    def _check_model(self, *used: type) -> None:
        """Refuse to go on with a model of which a cell has defined a part again: half old, half new."""
        for cls in self.model.outdated(*used):
            raise InvalidModel(
                f"{cls.__name__} was defined again since this lab was made, and the lab still has the "
                "earlier definition; run %lab again (or make a new Lab) after the cell. What was recorded "
                "stays to be looked at"
            )


def _start(
    model: Model,
    start: Stack | Run | None,
    clock: Clock | Callable[[], datetime] | None,
    ids: Ids | Callable[[], str] | None,
) -> Stack | Run:
    """What was given, with the model's process managers and the sources that were asked for."""
    if start is None:
        start = Stack(ids=ids or seeded_ids(0), clock=clock or system_clock)
    if not isinstance(start, (Stack, Run)):
        raise InvalidValue(
            f"Lab(stack=...) takes a Stack, or a Run to go on with; found {type(start).__name__}"
        )
    stack = start.stack if isinstance(start, Run) else start
    stack = replace(stack, ids=ids or stack.ids, clock=clock or stack.clock)
    missing = [cls for cls in model.process_managers if cls not in stack.process_manager_types]
    if missing:
        stack = replace(stack, process_manager_types=(*stack.process_manager_types, *missing))
    return start._replace(stack=stack) if isinstance(start, Run) else stack
