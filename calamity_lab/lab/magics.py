"""The magics that ``%load_ext calamity_lab`` adds; ``%lab`` finds the model in the notebook."""

from __future__ import annotations

import builtins
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from calamity_lab.errors import repr_of
from calamity_lab.kernel.arguments import words_of
from calamity_lab.kernel.clocks_and_ids import TickingClock, seeded_ids, ticking_clock
from calamity_lab.lab.lab import Lab
from calamity_lab.model import Model
from calamity_lab.probe.near_misses import near_misses

_DEFAULT = "lab"


@magics_class
class LabMagics(Magics):
    """``%lab`` makes a lab from the classes in the notebook; the other magics use the lab made last."""

    _name = _DEFAULT

    @magic_arguments()
    @argument("name", nargs="?", default=_DEFAULT, help="the variable that holds the lab")
    @argument("--seed", default="0", help="the seed for the ids of events and commands")
    @argument(
        "--clock",
        help="the time of the first event, such as 2026-01-01; each reading of the clock adds one second",
    )
    @line_magic
    def lab(self, line: str) -> None:
        """Find the model in this notebook, make a lab from it, and bind the lab to a variable."""
        given = parse_argstring(self.lab, line)
        name = given.name
        if not name.isidentifier():
            raise UsageError(f"%lab takes a variable's name, such as %lab bank_lab; found {name!r}")
        namespace = self._namespace
        taken = namespace.get(name, getattr(builtins, name, None))
        if callable(taken) and not isinstance(taken, Lab):
            raise UsageError(f"%lab {name} would hide {repr_of(taken)}; choose another name for the lab")
        model = Model.find({key: value for key, value in namespace.items() if key != name})
        namespace[name] = Lab(model, ids=seeded_ids(given.seed), clock=_clock(given.clock))
        LabMagics._name = name
        ready = f"Ready. Send a command: {name}.send(...). Run it: {name}.step(). Show the lab: {name}"
        advice = [f"  {each}" for each in near_misses(model)]
        print("\n".join([str(model), *(["please check:"] if advice else []), *advice, ready]))  # noqa: T201

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

    @line_magic
    def step(self, line: str) -> Any:
        """``%step [times]``: run one whole command; the same as ``%step_over``."""
        return self._move("step", line)

    @line_magic
    def step_over(self, line: str) -> Any:
        """``%step_over [times]``: run one whole command."""
        return self._move("step_over", line)

    @line_magic
    def step_in(self, line: str) -> Any:
        """``%step_in [times]``: run the smallest possible step."""
        return self._move("step_in", line)

    @line_magic
    def step_out(self, line: str) -> Any:
        """``%step_out [times]``: run one command and every command that it causes."""
        return self._move("step_out", line)

    @line_magic
    def step_back(self, line: str) -> Any:
        """``%step_back [times]``: move the cursor one moment back."""
        return self._move("step_back", line)

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

    def _move(self, verb: str, line: str) -> Any:
        times, moment = _number(verb, line, 1), None
        for _ in range(times or 0):
            moment = getattr(self._lab, verb)()
        return moment


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
    ipython.set_hook("complete_command", lambda _, event: complete(magics, event), str_key="%send")
