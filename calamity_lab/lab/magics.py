"""The magics that ``%load_ext calamity_lab`` adds; ``%lab`` finds the model in the notebook."""

from __future__ import annotations

import builtins
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from calamity_lab.errors import repr_of
from calamity_lab.kernel.arguments import are_equal, words_of
from calamity_lab.kernel.clocks_and_ids import TickingClock, seeded_ids, ticking_clock
from calamity_lab.kernel.identity import by_name
from calamity_lab.lab.lab import Lab
from calamity_lab.model import Model
from calamity_lab.probe.near_misses import near_misses
from calamity_lab.text import plural

_DEFAULT = "lab"


class _Cells:
    """Which cell of the notebook sent which commands to a lab.

    A cell that runs again after ``%lab`` has replayed its commands, as by "Run all", sends them no second
    time: the lab goes to where they were sent. Front ends that do not name their cells send them again.
    """

    def __init__(self, current: Callable[[], str | None]) -> None:
        self._current = current
        self._sent: dict[str, list[tuple[str, ...]]] = {}
        self._replayed: dict[str, deque[tuple[str, ...]]] = {}

    def replayed(self) -> None:
        """From now on the commands that cells have sent are those that were replayed."""
        self._replayed = {cell: deque(ids) for cell, ids in self._sent.items()}

    def ended(self, cell: str | None) -> None:
        """A cell has run: it sends its commands again when it runs once more."""
        self._replayed.pop(cell or "", None)

    def send(self, lab: Lab, commands: tuple[Any, ...], metadata: Mapping[str, Any]) -> bool:
        """Whether this cell sent the commands before and they were replayed; then the lab goes there."""
        cell = self._current() or ""
        waiting = self._replayed.get(cell)
        if not waiting:
            return False
        submitted = {each.command_id: each for each in lab.submitted}
        found = [submitted.get(command_id) for command_id in waiting.popleft()]
        held = [(each.command, each.metadata) for each in found if each is not None]
        if found[:1] == [None] or not are_equal(held, [(each, metadata) for each in commands]):
            del self._replayed[cell]  # the cell was changed
            return False
        moment = lab.goto(min(each.moment for each in found if each is not None))
        print(  # noqa: T201
            f"This cell sent {plural(len(commands), 'command')} before, and %lab has replayed them. The lab "
            f"is at step {moment.index:,} now, where they were sent. Run the cell again to send them anew"
        )
        return True

    def sent(self, command_ids: tuple[str, ...]) -> None:
        """Note what the cell that runs has sent."""
        if (cell := self._current()) is not None:
            self._sent.setdefault(cell, []).append(command_ids)


def _moving(verb: str, does: str) -> Any:
    """The magic of a move, which may be made several times."""

    def move(self: LabMagics, line: str) -> Any:
        moment = None
        for _ in range(_number(verb, line, 1) or 0):
            moment = getattr(self._lab, verb)()
        return moment

    move.__name__, move.__doc__ = verb, f"``%{verb} [times]``: {does}."
    return line_magic(move)


@magics_class
class LabMagics(Magics):
    """``%lab`` makes a lab from the classes in the notebook, or replays the one that is there on them.

    The other magics use the lab of the last ``%lab``.
    """

    _name = _DEFAULT
    _cell: str | None = None

    @magic_arguments()
    @argument("name", nargs="?", default=_DEFAULT, help="the variable that holds the lab")
    @argument("--seed", help="the seed for the ids of events and commands; 0 if it is not given")
    @argument(
        "--clock",
        help="the time of the first event, such as 2026-01-01; each reading of the clock adds one second",
    )
    @argument("--new", action="store_true", help="make a new lab, also where the variable holds one")
    @argument("--no-preview", action="store_true", help="ask the model nothing ahead: Lab(preview=False)")
    @argument("--unchecked", action="store_true", help="call each callback once: Lab(checked=False)")
    @line_magic
    def lab(self, line: str) -> None:
        """Find the model in this notebook, make a lab from it, and bind the lab to a variable.

        If the variable holds a lab already, its commands are replayed on the classes as they are now, on a
        new branch, as `lab.reload()` does. Displayed widgets follow. ``%lab --new`` makes a new lab.
        """
        given = parse_argstring(self.lab, line)
        name = given.name
        if not name.isidentifier():
            raise UsageError(f"%lab takes a variable's name, such as %lab bank_lab; found {name!r}")
        namespace = self._namespace
        taken = namespace.get(name, getattr(builtins, name, None))
        if callable(taken) and not isinstance(taken, Lab):
            raise UsageError(f"%lab {name} would hide {repr_of(taken)}; choose another name for the lab")
        seed = None if given.seed is None else seeded_ids(given.seed)
        clock = _clock(given.clock)
        previews, checked = not given.no_preview, not given.unchecked
        if isinstance(taken, Lab) and not given.new:
            if not (previews and checked):
                raise UsageError(
                    f"{name} is a lab already; %lab {line} --new makes a new one, with this option"
                )
            lines = self._again(taken, name, {"ids": seed, "clock": clock})
        else:
            namespace[name] = Lab(
                Model.find(namespace),
                ids=seed or seeded_ids("0"),
                clock=clock,
                preview=previews,
                checked=checked,
            )
            lines = _ready(namespace[name], name)
        lab = namespace[name]
        lab._cells = lab._cells or _Cells(lambda: LabMagics._cell)
        lab._cells.replayed()
        LabMagics._name = name
        print("\n".join(lines))  # noqa: T201

    def _again(self, lab: Lab, name: str, sources: Mapping[str, Any]) -> list[str]:
        """Replay a lab on the classes as they are now; the lines that say what came of it."""
        before = lab.model
        replay = lab.reload(**{key: given for key, given in sources.items() if given is not None})
        if not lab.trace.branch.inputs and not replay.unplayed:
            return _ready(lab, name)
        sends = f"{name}.send(...) adds to these commands"
        if self._cell is not None:
            sends = f"A cell that runs again does not send its commands twice. In another cell, {sends}"
        return [
            replay.sentence,
            *replay.notes,
            *_changed_classes(before, lab.model),
            *_advice(lab.model),
            f"{sends}. For a new lab: %lab{'' if name == _DEFAULT else f' {name}'} --new",
        ]

    def _begins(self, info: Any) -> None:
        LabMagics._cell = getattr(info, "cell_id", None)

    def _ends(self, _result: Any) -> None:
        for each in list(self._namespace.values()):
            if isinstance(each, Lab) and each._cells is not None:
                each._cells.ended(self._cell)
        LabMagics._cell = None

    @line_magic
    def send(self, line: str) -> Any:
        """``%send DepositFunds("1", 50)``: put a command on the agenda."""
        if not line.strip():
            raise UsageError("%send takes a command, such as %send DepositFunds('1', 50)")
        lab = self._lab
        try:
            command = self.shell.ev(line)  # type: ignore[union-attr]
        except Exception as error:
            known = ", ".join(f"{cls.__name__}(...)" for cls in lab.model.commands) or "none"
            raise UsageError(f"%send {line}: {words_of(error)}. The commands are {known}") from error
        return lab.send(*command) if isinstance(command, (list, tuple)) else lab.send(command)

    step = _moving("step", "run one whole command; the same as ``%step_over``")
    step_over = _moving("step_over", "run one whole command")
    step_in = _moving("step_in", "run the smallest possible step")
    step_out = _moving("step_out", "run one command and every command that it causes")
    step_back = _moving("step_back", "move the cursor one moment back")

    @line_magic
    def resume(self, line: str) -> Any:
        """``%resume [limit]``: run until the agenda is empty, or ``limit`` steps have run."""
        limit = _number("resume", line, None)
        return self._lab.resume() if limit is None else self._lab.resume(limit=limit)

    @line_magic
    def restart(self, line: str) -> Any:
        """``%restart``: move the cursor to the moment before anything happened."""
        if line.strip():
            raise UsageError(f"%restart takes no argument; found {repr_of(line)}")
        return self._lab.restart()

    @line_magic
    def goto(self, line: str) -> Any:
        """``%goto 12``: move the cursor to moment 12."""
        moment = _number("goto", line, None)
        if moment is None:
            raise UsageError("%goto takes the number of a moment, such as %goto 12")
        return self._lab.goto(moment)

    @property
    def _namespace(self) -> dict[str, Any]:
        namespace: dict[str, Any] = self.shell.user_ns  # type: ignore[union-attr]
        return namespace

    @property
    def _lab(self) -> Lab:
        lab = self._namespace.get(self._name)
        if not isinstance(lab, Lab):
            raise UsageError(
                f"there is no lab called {self._name!r} yet; run %lab first, or write {self._name} = Lab(...)"
            )
        return lab


def _ready(lab: Lab, name: str) -> list[str]:
    """The model of a lab in which nothing was sent, and what to do next."""
    ready = f"Ready. Send a command: {name}.send(...). Run it: {name}.step(). Show the lab: {name}"
    return [str(lab.model), *_advice(lab.model), ready]


def _advice(model: Model) -> list[str]:
    advice = near_misses(model)
    return ["please check:", *(f"  {each}" for each in advice)] if advice else []


def _changed_classes(before: Model, now: Model) -> list[str]:
    """Which classes were defined again, which are new and which are gone."""
    was, held = by_name(before), by_name(now)
    groups = {
        "defined again": [name for name in held if name in was and held[name] is not was[name]],
        "new": [name for name in held if name not in was],
        "gone": [name for name in was if name not in by_name((*now, *now.unplaced, *now.given))],
    }
    named = [f"{title}: {', '.join(names)}" for title, names in groups.items() if names]
    return [f"Classes {'; '.join(named)}"] if named else []


def _clock(start: str | None) -> TickingClock | None:
    if start is None:
        return None
    try:
        return ticking_clock(start)
    except ValueError:
        raise UsageError(
            f"%lab --clock takes a time, such as 2026-01-01 or 2026-01-01T12:00; found {repr_of(start)}"
        ) from None


def _number(magic: str, line: str, default: int | None) -> int | None:
    text = line.strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"%{magic} takes a whole number; found {text!r}") from None


def complete(magics: LabMagics, event: Any) -> list[str]:
    """Completions for ``%send``: the commands of the lab's model."""
    lab = magics._namespace.get(magics._name)
    return [f"{command.__name__}(" for command in lab.model.commands] if isinstance(lab, Lab) else []


def register(ipython: Any) -> None:
    """Add the magics and the completion of ``%send`` to an IPython shell."""
    magics = LabMagics(ipython)
    ipython.register_magics(magics)
    ipython.events.register("pre_run_cell", magics._begins)
    ipython.events.register("post_run_cell", magics._ends)
    ipython.set_hook("complete_command", lambda _, event: complete(magics, event), str_key="%send")
