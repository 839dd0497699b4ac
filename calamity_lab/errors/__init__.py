"""Every error of calamity_lab, as one tree.

::

    CalamityError
    ├── Rejected               an aggregate rejected a command: an answer, not a fault
    ├── WrongExpectedVersion   an append expected another version of the stream
    │   └── TooManyConflicts   ... at every attempt, up to the limit
    ├── IdleRun                the agenda is empty, so there is no next step
    ├── EndlessCascade         a command causes commands without end
    ├── ModelError             a callback of the model failed; the error has the run up to there
    │   ├── UnresolvedTarget   a command does not say which aggregate it goes to
    │   └── ImpureModel        a callback changed its arguments, or gave two answers
    ├── InvalidModel           these classes do not make one model
    ├── InvalidValue           a value that this call does not accept
    │   ├── InvalidFields      ... in a form: each wrong field of a command, with the reason
    │   └── UnknownKey         ... because a mapping has no such key
    ├── UnknownArgument        an unknown keyword argument
    ├── UnknownAttribute       a name that an object does not have, as in lab.agregates
    ├── OutOfRange             an index that is too large or too small
    ├── MissingExtra           an optional package is not installed
    ├── SerializationError     a message or a state cannot be written as JSON, or read from JSON
    ├── AlreadySettled         a command was carried out, rejected or dropped before; nothing was written
    ├── CommitConflict         the store has changed since the lab was attached; nothing was written
    └── StoreError             a store failed; it has written nothing
        ├── StoreUnavailable   ... because the server does not answer or the file is locked
        ├── StoreFull          ... because the disk is full
        ├── ReadOnlyStore      ... because the store is read-only
        ├── WrongSchema        ... because the database has other tables, or another version of ours
        ├── StreamDeleted      ... because the stream was deleted
        ├── UnknownName        ... because no class has a name that the store has kept
        └── WrongMark          ... because a process manager's mark lies beyond the end of the history
"""

from __future__ import annotations

import pickle  # noqa: S403 - for what stands inside of a pickle already
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from calamity_lab.errors import tracebacks

# Values whose text is easier to read than their repr, and is as clear.
_READABLE = frozenset({date, datetime, time, timedelta, Decimal, UUID})


class CalamityError(Exception):
    """The root of all errors of calamity_lab.

    ``run`` is the run up to the failure, if there is one; you can continue from it. Every error can be
    pickled and copied. A pickled error has no ``run`` if the run cannot be pickled, as on a live database.

    A notebook shows the lines of your own cells and files that led to the error, and the message.
    ``%tb`` in the next cell shows the whole traceback, and `full_traceback` returns it.
    """

    run: Any = None
    _shown_after: int | None = None

    def full_traceback(self) -> str:
        """The whole traceback as a text, with the frames of calamity_lab and of libraries."""
        return "\n".join(tracebacks.whole(self))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: in short, and the whole where the same error is shown again by ``%tb``."""
        frames = tracebacks.length(self)
        again, self._shown_after = frames == self._shown_after, frames
        return tracebacks.whole(self) if again else tracebacks.rendered(self)

    def __reduce__(self) -> Any:
        """Pickle the error without a run or a cause that cannot be pickled; do not call ``__init__``."""
        state = {**self.__dict__}
        apart = {"run": _bytes(state.pop("run", None)), "__cause__": _bytes(self.__cause__)}
        return _unpickled, (type(self), self.args, state, apart)

    def __copy__(self) -> Any:
        return _restored(type(self), self.args, {**self.__dict__, "__cause__": self.__cause__})

    def __deepcopy__(self, memo: Any) -> Any:
        state = {name: part for name, part in self.__dict__.items() if name != "run"}
        kept = {"run": self.run, "__cause__": self.__cause__}  # a run is frozen
        return _restored(type(self), deepcopy(self.args, memo), {**deepcopy(state, memo), **kept})


def _restored(cls: Any, args: tuple[Any, ...], state: Mapping[str, Any]) -> Any:
    error = cls.__new__(cls)
    builtin: Any = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    builtin.__init__(error, *args)
    for name, part in state.items():
        setattr(error, name, part)
    return error


def _unpickled(cls: type, args: tuple[Any, ...], state: Mapping[str, Any], apart: Mapping[str, Any]) -> Any:
    return _restored(cls, args, {**state, **{name: _part(pickled) for name, pickled in apart.items()}})


def _bytes(part: Any) -> bytes | None:
    """The part of an error as pickle writes it; None where pickle cannot write it."""
    with suppress(Exception):  # a live database, or whatever the user's own classes raise
        return pickle.dumps(part)
    return None


def _part(pickled: bytes | None) -> Any:
    """The part of an error; None where this process cannot read it: the error itself must arrive."""
    with suppress(Exception):
        return None if pickled is None else pickle.loads(pickled)  # noqa: S301 - whoever reads this is unpickling
    return None


class Rejected(CalamityError):
    """A rejection: raise ``Rejected("insufficient funds", balance=3)`` in an aggregate's ``execute``.

    ``reason`` is a short text, and ``details`` are values that help to understand it.
    ``command`` is the rejected command; the kernel sets it.
    """

    def __init__(self, reason: str = "rejected", /, **details: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details: Mapping[str, Any] = details
        self.command: Any = None

    def __str__(self) -> str:
        if not self.details:
            return text_of(self.reason)
        listed = ", ".join(f"{name} {_in_words(value)}" for name, value in self.details.items())
        return f"{text_of(self.reason)} ({listed})"

    def __repr__(self) -> str:
        listed = "".join(f", {name}={repr_of(value, None)}" for name, value in self.details.items())
        return f"{type(self).__name__}({repr_of(self.reason, None)}{listed})"

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is type(self)
            and isinstance(other, Rejected)
            and (self.reason, self.details, self.command) == (other.reason, other.details, other.command)
        )

    def __hash__(self) -> int:
        return hash((type(self), self.reason))


class WrongExpectedVersion(CalamityError):
    """An append expected one version of a stream and found another; nothing was written.

    ``expected`` is the version in the call, ``actual`` that of the stream (0 if there is no such stream).
    """

    def __init__(self, stream_id: str, expected: Any, actual: int) -> None:
        found = (
            "there is no such stream"
            if type(actual) is int and actual == 0
            else f"it is at version {text_of(actual)}"
        )
        super().__init__(
            f"append to {repr_of(stream_id)} expected {_worded(expected)}, but {found}; "
            "read the stream again and decide again"
        )
        self.stream_id = stream_id
        self.expected = expected
        self.actual = actual


class TooManyConflicts(WrongExpectedVersion):
    """A command met another writer at every attempt, up to the limit."""

    def __init__(self, stream_id: str, expected: Any, actual: int, attempts: int, run: Any = None) -> None:
        super().__init__(stream_id, expected, actual)
        self.attempts = attempts
        self.run = run
        self.args = (
            f"{self.args[0]} (given up after {attempts} attempts; set a higher Stack(conflict_limit=...) "
            "if so many writers are expected)",
        )


def _and_time_may_pass(following: Any) -> str:
    """When the next deadline is, in the error of a run that has nothing else to do."""
    return (
        f", or let time pass with elapse(run) or lab.wait(): the next deadline is {following.deadline}, due "
        f"{following.due_at:%Y-%m-%d %H:%M:%S} UTC"
    )


class IdleRun(CalamityError):
    """A run cannot advance, because nothing is in progress and its agenda is empty."""

    def __init__(self, run: Any = None) -> None:
        following = None if run is None else run.stack.deadlines.first
        super().__init__(
            "cannot advance: nothing is in progress and the agenda is empty; "
            "add a command with begin(stack, command), run.submit(command) or lab.send(command)"
            + ("" if following is None else _and_time_may_pass(following))
        )
        self.run = run


class EndlessCascade(CalamityError):
    """A command causes commands without end, because a process manager reacts to its own commands.

    ``cycle`` has the names of the command, event and process manager types that repeat, in order.
    """

    def __init__(self, limit: int, cycle: Sequence[str], run: Any = None) -> None:
        super().__init__(
            f"the cascade is deeper than the limit of {limit} and repeats: "
            f"{' → '.join(cycle)}; let the process manager stop, or set a higher Stack(cascade_limit=...) "
            "if the chain is meant to be so long"
        )
        self.limit = limit
        self.cycle = tuple(cycle)
        self.run = run


class ModelError(CalamityError):
    """A callback of the model raised an exception, or returned a value that is not allowed.

    ``callback`` is its name, such as ``BankAccount.apply``. ``__cause__`` is the original exception.
    """

    def __init__(self, callback: str, problem: str, run: Any = None) -> None:
        super().__init__(f"{callback} {problem}")
        self.callback = callback
        self.problem = problem
        self.run = run


class UnresolvedTarget(ModelError):
    """A command does not say which aggregate it goes to."""


class ImpureModel(ModelError):
    """A callback changed its arguments, or gave two answers for the same arguments.

    ``field`` is the path of the field that differs, such as ``balance`` or ``lines[2].price``.
    """

    def __init__(self, callback: str, field: str, problem: str, run: Any = None) -> None:
        super().__init__(callback, problem, run)
        self.field = field


class InvalidModel(CalamityError):
    """Classes that do not make one model, or no model at all."""


class InvalidValue(CalamityError, ValueError):
    """A value that a call does not accept; the message says what was found and what would work."""


class InvalidFields(InvalidValue):
    """All wrong fields of a command; ``errors`` maps the path of each field to the reason.

    A path looks like ``lines[0].price``; the path ``""`` has the reason that concerns the whole command.
    """

    def __init__(self, command: str, errors: Mapping[str, str]) -> None:
        listed = "; ".join(f"{path}: {reason}" if path else reason for path, reason in errors.items())
        super().__init__(f"{command} cannot be made: {listed}")
        self.command = command
        self.errors: Mapping[str, str] = dict(errors)


class UnknownArgument(CalamityError, TypeError):
    """An unknown keyword argument."""


class UnknownAttribute(CalamityError, AttributeError):
    """A name that an object does not have; the message says which one may be meant."""


class OutOfRange(CalamityError, IndexError):
    """An index that is too large or too small."""


class UnknownKey(InvalidValue, KeyError):
    """A stream id, or another key, of which a mapping has no value."""

    __str__ = Exception.__str__  # a KeyError shows the repr of its text


class MissingExtra(CalamityError, ImportError):
    """An optional package is not installed; the message names the command that installs it."""

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed; run: pip install 'calamity-lab[{extra}]'"
        )
        self.package = package
        self.extra = extra


class SerializationError(CalamityError, ValueError):
    """A message or a state cannot be written as JSON, or the JSON does not have its shape."""


class CommitConflict(CalamityError):
    """The store has changed since the lab was attached, so the commit has written nothing.

    ``streams`` maps each stream id to the version that the branch builds on and the version in the store;
    ``marks`` each process manager to the position up to which the branch saw it handed events, and the
    position in the store (None: it was handed none); ``settled`` the ids of commands to what they came to.
    """

    def __init__(
        self,
        streams: Mapping[str, tuple[int, int]],
        marks: Mapping[str, tuple[int | None, int | None]] = {},
        settled: Mapping[str, Any] = {},
    ) -> None:
        reasons, todo = [], ["attach a new lab with Lab.attach(...) to see them, and decide again"]
        if streams:
            listed = ", ".join(
                f"{stream_id} (built on version {expected}, now {actual})"
                for stream_id, (expected, actual) in streams.items()
            )
            reasons.append(f"these streams have new events: {listed}")
        behind = [name for name, (expected, actual) in marks.items() if expected == actual]
        moved = [
            f"{name} (built on position {expected or 0}, now {actual or 0})"
            for name, (expected, actual) in marks.items()
            if name not in behind
        ]
        if moved:
            reasons.append(f"these process managers were handed events meanwhile: {', '.join(moved)}")
        if behind:
            reasons.append(
                f"the store has new events that these process managers were not handed: {', '.join(behind)}"
            )
            todo.insert(0, "carry out recover(...) on the store, so that they are handed these")
        if settled:
            listed = ", ".join(f"{id_} ({outcome.verdict})" for id_, outcome in settled.items())
            reasons.append(f"these commands were settled meanwhile: {listed}")
        because = "; and ".join(reasons) or "another branch was committed"
        super().__init__(f"commit() has written nothing, because {because}; {'; then '.join(todo)}")
        self.streams: Mapping[str, tuple[int, int]] = dict(streams)
        self.marks = dict(marks)
        self.settled = dict(settled)


class AlreadySettled(CalamityError):
    """A command was settled before, by this process or by another; nothing was written.

    ``outcome`` says what the command came to.
    """

    def __init__(self, command_id: str, outcome: Any) -> None:
        super().__init__(
            f"the command {command_id} was settled before ({outcome.verdict}); nothing was written"
        )
        self.command_id = command_id
        self.outcome = outcome


class StoreError(CalamityError):
    """A store failed. It has written nothing, and it can be used again."""


class StoreUnavailable(StoreError):
    """A store does not answer: its server is gone or its file is locked. The same call may work later."""


class StoreFull(StoreError):
    """The disk of a store is full."""


class ReadOnlyStore(StoreError):
    """A store is read-only."""


class WrongSchema(StoreError):
    """A database has tables that are not those of an event store, or another version of them."""


class StreamDeleted(StoreError):
    """A stream was deleted by `delete_stream`, and is not written again.

    ``version`` is that of its last event, ``deleted_at`` the time, ``reason`` what was given as the reason.
    """

    def __init__(self, stream_id: str, version: int, deleted_at: Any, reason: str) -> None:
        why = f", because: {reason}" if reason else ""
        super().__init__(
            f"{stream_id!r} was deleted at {deleted_at:%Y-%m-%d %H:%M:%S} UTC, after version {version}{why}; "
            "a deleted stream is not written again; nothing was written. Use another id"
        )
        self.stream_id = stream_id
        self.version = version
        self.deleted_at = deleted_at
        self.reason = reason


class UnknownName(StoreError):
    """No class has a stored name that the store has kept; the message says what to do."""


class WrongMark(StoreError):
    """A process manager was handed more events than there are, as after the restore of an older backup.

    ``name`` is its stored name, ``mark`` the position, ``head`` that of the last event.
    """

    def __init__(self, name: str, mark: int, head: int) -> None:
        super().__init__(
            f"{name} was handed events up to position {mark}, but the history ends at {head}. Was the "
            "database restored from an older backup? Restore the newest one; or, when the later events are "
            f'lost for good: event_store.move_mark("{name}", {head})'
        )
        self.name = name
        self.mark = mark
        self.head = head


def repr_of(value: Any, length: int | None = 300) -> str:
    """The repr of any value for a message, cut at a length; a repr that raises is shown as a text.

    Also a value that is nested too deep, or contains itself, has one; so has a number of 5,000 digits.
    """
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - the repr of a model's class may raise anything, and the text says so
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if length is None or len(text) <= length else f"{text[: length - 1]}…"


def text_of(value: Any) -> str:
    """What a value says of itself, as ``str`` gives it; its repr where that raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the text of a model's class may raise anything
        return repr_of(value)


def _in_words(value: Any) -> str:
    """A detail of a rejection for people: "2026-03-24 09:00:00+00:00", not a call of ``datetime``."""
    if type(value) in _READABLE:
        return str(value)
    return value.name or repr_of(value, None) if issubclass(type(value), Enum) else repr_of(value, None)


def _worded(expected: Any) -> str:
    name = expected.name if issubclass(type(expected), Enum) else None
    return name or f"version {text_of(expected)}"
