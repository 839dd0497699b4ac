"""Watches and invariants: a value of each moment, worked out when it is looked at or passed.

A function of a user may raise, or change what it is given. Then its watch is shown as broken, and nothing
else stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.arguments import a_bool, a_function, a_text, words_of, wrong
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Step
from calamity_lab.text import format_value
from calamity_lab.trace.copies import Copy
from calamity_lab.trace.differences import ABSENT, differences
from calamity_lab.trace.trace import Trace

_MOST_COPIES = 5_000
"""So many states are copied for one function, to see whether it changes them; then it is believed."""


class Value(NamedTuple):
    """The value of a watch at a moment; ``problem`` says why there is none.

    ``fails``: an invariant does not hold, ``since`` that step, if it was seen to turn false.
    """

    value: Any = None
    problem: str = ""
    fails: bool = False
    since: int | None = None

    def __str__(self) -> str:
        if self.problem:
            return f"broken: {self.problem}"
        if self.fails:
            return "does not hold" + ("" if self.since is None else f", since step {self.since:,}")
        return format_value(self.value)


_VALUES = Slot[Value](most=1 << 17)


class Watch:
    """A value of each moment, ``fn(stack)``; with ``must_hold`` an invariant, at which `resume` stops.

    `value` is the value at the cursor. `is_on` switches the watch off and on again.
    """

    def __init__(self, owner: WatchList, name: str, fn: Callable[[Stack], Any], *, must_hold: bool) -> None:
        self._owner, self._name, self._asked, self.must_hold = owner, name, Asked(fn), must_hold
        self._is_on = True
        self.stopped = 0

    @property
    def name(self) -> str:
        """The name of the watch."""
        return self._name

    @property
    def fn(self) -> Callable[[Stack], Any]:
        """The function of the stack."""
        return self._asked.fn

    def ask(self, fn: Callable[[Stack], Any]) -> None:
        """Ask another function from now on, as when a cell is run again."""
        self._asked = Asked(fn)

    @property
    def kind(self) -> str:
        """What it is: a watch or an invariant."""
        return "invariant" if self.must_hold else "watch"

    @property
    def is_on(self) -> bool:
        """Whether the watch is on. Set it to False to switch the watch off."""
        return self._is_on

    @is_on.setter
    def is_on(self, on: bool) -> None:
        self._is_on = a_bool("is_on", on)
        self._owner.changed()

    @property
    def value(self) -> Value:
        """The value at the cursor."""
        return self.at(*self._owner.here())

    def rename(self, name: str) -> None:
        """Give the watch another name. Raises `InvalidValue` for a name that is taken."""
        self._owner.rename(self, name)
        self._name = name

    def remove(self) -> None:
        """Take the watch away."""
        self._owner.unwatch(self)

    def at(self, trace: Trace, index: int) -> Value:
        """The value at a moment; it is kept with the trace."""
        return self._of(trace, index, trace[index].stack)

    def _of(self, trace: Trace, index: int, stack: Stack) -> Value:
        fn = self._asked.fn
        known = trace.memo.recall(_VALUES, stack, fn)
        if known is not None:
            return known
        found = self._found(stack, trace[index].step)
        if found.fails:
            before = trace.memo.recall(_VALUES, trace[index - 1].stack, fn) if index else Value()
            if before is not None:
                found = found._replace(since=before.since if before.fails else index)
        return trace.memo.keep(_VALUES, found, stack, fn)

    def stops_at(self, trace: Trace, index: int) -> bool:
        """Whether an invariant holds at the moment before, and does not hold at this one."""
        stack, earlier = trace[index].stack, trace[index - 1].stack
        if stack is earlier:
            return False
        before = self._of(trace, index - 1, earlier)
        return self._of(trace, index, stack).fails and not before.fails

    def _found(self, stack: Stack, step: Step | None) -> Value:
        try:
            value = self._asked(stack, states_of(stack, step), checked=self._owner.checked)
            return Value(value, fails=self.must_hold and not value)
        except KeyboardInterrupt:
            # Else the widget, which asks again, would never end.
            self._is_on = False
            raise
        except Exception as error:  # noqa: BLE001 - the function of a user may raise anything
            return Value(problem=words_of(error) if not isinstance(error, Changed) else str(error))

    def __repr__(self) -> str:
        off = "" if self.is_on else ", switched off"
        return f"{self.kind} {self.name!r}: {self.value if self.is_on else 'no value'}{off}"


class WatchList:
    """The watches and invariants of a stepper. They are the same for all its branches.

    ``here`` is the trace and the cursor, ``changed`` is called after each change. With ``checked`` it is
    noticed if a function changes what it is given.
    """

    def __init__(
        self, here: Callable[[], tuple[Trace, int]], changed: Callable[[], object], *, checked: bool
    ) -> None:
        self.here, self.changed, self.checked = here, changed, checked
        self.watches: dict[str, Watch] = {}

    def watch(self, call: str, name: str, fn: Callable[[Any], Any], *, must_hold: bool) -> Watch:
        """A new watch or invariant; the same function again, as when a cell is run again, renews it."""
        name = _a_name(f"{call}(name)", name)
        a_function(f"{call}(fn)", fn, f"lab.{call}({name!r}, lambda stack: len(stack.aggregates))")
        known = self.watches.get(name)
        if known is not None and known.must_hold == must_hold and code_of(known.fn) == code_of(fn):
            known.ask(fn)
            known.is_on = True
            return known
        self._refuse_taken(name)
        self.watches[name] = made = Watch(self, name, fn, must_hold=must_hold)
        self.changed()
        return made

    def rename(self, watch: Watch, name: str) -> None:
        """Give a watch another name, in its place."""
        name = _a_name("rename(name)", name)
        if name != watch.name:
            self._refuse_taken(name)
        self.watches = {name if each is watch else old: each for old, each in self.watches.items()}
        self.changed()

    def unwatch(self, *watches: Watch) -> None:
        """Take watches away."""
        self.watches = {name: each for name, each in self.watches.items() if each not in watches}
        self.changed()

    def _refuse_taken(self, name: str) -> None:
        known = self.watches.get(name)
        if known is not None:
            raise InvalidValue(
                f"the name {name!r} is taken by {'an' if known.must_hold else 'a'} {known.kind}; choose "
                f"another name, or remove the other one first: lab.watches.remove({name!r})"
            )


def _a_name(asked: str, given: Any) -> str:
    name = a_text(asked, given, "'total'").strip()
    if not name or len(name) > 100 or name == "moment":
        raise wrong(asked, given, "a text of 1 to 100 characters other than 'moment', as in 'total'")
    return name


def code_of(function: Callable[..., object]) -> Any:
    """The code of a function, which is equal when its cell is run again; else the function itself."""
    return getattr(function, "__code__", function)


@dataclass(frozen=True)
class FieldOf:
    """The value of one field of a stream's state, as a function of the stack; None where there is none."""

    stream_id: str
    path: str
    read: Callable[[Any, str], Any]

    def __call__(self, stack: Stack) -> Any:
        """The value in that stack."""
        state = stack.aggregates.get(self.stream_id)
        state = stack.process_managers.get(self.stream_id) if state is None else state
        value = None if state is None else self.read(state, self.path)
        return None if value is ABSENT else value


class Changed(InvalidValue):
    """A function changed what it was given."""


class Asked:
    """A function of a user, which is asked about what was recorded and must not change it."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self.fn, self._left = fn, _MOST_COPIES

    def __call__(self, given: Any, held: Iterator[tuple[str, Any]], *, checked: bool) -> Any:
        """What the function answers; raises `Changed` where it changed something in ``held``.

        What it changed is put back. ``held`` are the values that it can reach, with a name for each.
        """
        if not checked or self._left <= 0:
            return self.fn(given)
        copies = [(name, value, Copy.of_fields(value)) for name, value in islice(held, self._left)]
        self._left -= len(copies)
        try:
            return self.fn(given)
        finally:
            changed = [_change_in(*each) for each in copies]
            if any(changed):
                raise Changed(
                    f"it changed {next(filter(None, changed))} in place; the change was undone. A function "
                    "of the lab only reads what it is given"
                )


def _change_in(name: str, value: Any, before: Copy) -> str:
    found = next(differences(before.plain, Copy.of_fields(value).plain), None)
    if found is None:
        return ""
    before.put_back()
    return f"{name}.{found.path} ({format_value(found.before, 60)} → {format_value(found.after, 60)})"


def states_of(stack: Stack, step: Step | None) -> Iterator[tuple[str, Any]]:
    """The states in a stack with their stream ids, first the one that a step concerns."""
    for store in (stack.aggregates, stack.process_managers):
        if not hasattr(store, "__iter__"):
            continue
        first = None if step is None else step.stream_id
        if first is not None and first in store:
            yield first, store[first]
        yield from ((name, store[name]) for name in store if name != first)
