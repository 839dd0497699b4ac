"""What can go wrong, as one tree.

::

    CalamityError
    ├── Rejected               a command was refused: no fault, an answer
    ├── WrongExpectedVersion   an append found another version than it expected
    │   └── TooManyConflicts   ... again and again, until the bound was reached
    ├── IdleRun                nothing is in progress and the agenda is empty
    ├── EndlessCascade         a command causes commands without end
    ├── ModelError             a callback of the model broke; carries the run up to there
    │   ├── UnresolvedTarget   a command does not tell which aggregate it is for
    │   └── ImpureModel        a callback changed what it was given, or answered twice differently
    ├── InvalidModel           classes that cannot stand together in one model
    ├── InvalidValue           a value that has no place where it was given
    │   └── InvalidFields      ... in a form: every wrong field of a command, each with its reason
    ├── UnknownArgument        a keyword argument that nobody knows
    ├── OutOfRange             an index beyond what there is
    ├── MissingExtra           an optional package is not installed
    ├── SerializationError     a message or a state cannot be written as JSON, or read back from it
    ├── CommitConflict         streams moved on since the history was attached; nothing was written
    └── StoreError             a store could not do what it was asked; nothing is half-written
        ├── StoreUnavailable   ... because it does not answer: the server is gone, the file is locked
        ├── StoreFull          ... because there is no room left
        ├── ReadOnlyStore      ... because it may be read, not written
        └── WrongSchema        ... because the database holds another schema, or another version of ours
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any


class CalamityError(Exception):
    """The root of every error that calamity_lab raises itself.

    ``run`` is the run up to the failure where there is one: with values nothing is lost.
    """

    run: Any = None


class Rejected(CalamityError):
    """A refusal: ``raise Rejected("insufficient funds", balance=3)`` from an aggregate's ``execute``.

    ``reason`` is a short sentence, ``details`` whatever helps to understand it.
    ``command`` is the command that was refused; the kernel fills it in.
    """

    def __init__(self, reason: str = "refused", /, **details: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details: Mapping[str, Any] = details
        self.command: Any = None

    def __str__(self) -> str:
        if not self.details:
            return str(self.reason)
        listed = ", ".join(f"{name} {value!r}" for name, value in self.details.items())
        return f"{self.reason} ({listed})"

    def __repr__(self) -> str:
        listed = "".join(f", {name}={value!r}" for name, value in self.details.items())
        return f"{type(self).__name__}({self.reason!r}{listed})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Rejected)
            and type(other) is type(self)
            and (self.reason, self.details, self.command) == (other.reason, other.details, other.command)
        )

    def __hash__(self) -> int:
        return hash((type(self), self.reason))


class WrongExpectedVersion(CalamityError):
    """An append expected one version of a stream and found another; nothing was written.

    ``expected`` is what was asked for, ``actual`` the stream's version (0 where there is no stream).
    """

    def __init__(self, stream_id: str, expected: Any, actual: int) -> None:
        found = f"it is at version {actual}" if actual else "there is no such stream"
        super().__init__(
            f"append to {stream_id!r} expected {_worded(expected)}, but {found}; "
            "read the stream again and decide anew"
        )
        self.stream_id = stream_id
        self.expected = expected
        self.actual = actual


class TooManyConflicts(WrongExpectedVersion):
    """A command met another writer at every attempt, until the bound was reached."""

    def __init__(self, stream_id: str, expected: Any, actual: int, attempts: int, run: Any = None) -> None:
        super().__init__(stream_id, expected, actual)
        self.attempts = attempts
        self.run = run
        self.args = (
            f"{self.args[0]} (given up after {attempts} attempts; raise Stack(conflict_limit=...) "
            "if that many writers are expected)",
        )


class IdleRun(CalamityError):
    """A run was asked to advance while nothing is in progress and its agenda is empty."""

    def __init__(self, run: Any = None) -> None:
        super().__init__(
            "cannot advance: nothing is in progress and the agenda is empty; "
            "put a command on it with begin(stack, command), run.submit(command) or lab.send(command)"
        )
        self.run = run


class EndlessCascade(CalamityError):
    """A command causes commands without end: a process manager that answers itself.

    ``cycle`` names the command, event and manager types that repeat, in order.
    """

    def __init__(self, limit: int, cycle: Sequence[str], run: Any = None) -> None:
        super().__init__(
            f"the cascade is more than {limit} commands deep and goes round in a circle: "
            f"{' → '.join(cycle)}; let the process manager stop, or raise Stack(cascade_limit=...) "
            "if the chain is meant to be that long"
        )
        self.limit = limit
        self.cycle = tuple(cycle)
        self.run = run


class ModelError(CalamityError):
    """A callback of the model raised, or returned what it must not.

    ``callback`` is its name, as in ``BankAccount.apply``; the cause is the original exception.
    """

    def __init__(self, callback: str, problem: str, run: Any = None) -> None:
        super().__init__(f"{callback} {problem}")
        self.callback = callback
        self.problem = problem
        self.run = run


class UnresolvedTarget(ModelError):
    """A command does not tell which aggregate it is for."""


class ImpureModel(ModelError):
    """A callback changed what it was given, or gave another answer when asked twice.

    ``field`` is the path of the field that differed, as in ``balance`` or ``lines[2].price``.
    """

    def __init__(self, callback: str, field: str, problem: str, run: Any = None) -> None:
        super().__init__(callback, problem, run)
        self.field = field


class InvalidModel(CalamityError):
    """Classes that cannot stand together in one model, or that are no model at all."""


class InvalidValue(CalamityError, ValueError):
    """A value that has no place where it was given: what was asked, what was found, what would work."""


class InvalidFields(InvalidValue):
    """The fields of a command that are wrong, all at once; ``errors`` has the reason by the field's path.

    A path is as in ``lines[0].price``; under ``""`` stands what the command as a whole has to say.
    """

    def __init__(self, command: str, errors: Mapping[str, str]) -> None:
        listed = "; ".join(f"{path}: {reason}" if path else reason for path, reason in errors.items())
        super().__init__(f"{command} cannot be made: {listed}")
        self.command = command
        self.errors: Mapping[str, str] = dict(errors)


class UnknownArgument(CalamityError, TypeError):
    """A keyword argument that nobody knows."""


class OutOfRange(CalamityError, IndexError):
    """An index beyond what there is."""


class MissingExtra(CalamityError, ImportError):
    """An optional package is not installed; the message names the command that installs it."""

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed; run: pip install 'calamity-lab[{extra}]'"
        )
        self.package = package
        self.extra = extra


class SerializationError(CalamityError, ValueError):
    """A message or a state cannot be written as JSON, or what was read is none of its shape."""


class CommitConflict(CalamityError):
    """Streams moved on since the history was attached, so a commit would decide over what it never saw.

    ``streams`` has the version that the branch builds on and the version found, by stream id. Nothing was
    written.
    """

    def __init__(self, streams: Mapping[str, tuple[int, int]]) -> None:
        listed = ", ".join(
            f"{stream_id} (built on version {expected}, now {actual})"
            for stream_id, (expected, actual) in streams.items()
        )
        super().__init__(
            f"nothing was written: {listed} moved on since; attach again to see what happened there, "
            "and decide anew"
        )
        self.streams: Mapping[str, tuple[int, int]] = dict(streams)


class StoreError(CalamityError):
    """A store could not do what it was asked; nothing is half-written, and it can be used afterwards."""


class StoreUnavailable(StoreError):
    """A store does not answer now: its server is gone, its file is locked. The same call may work later."""


class StoreFull(StoreError):
    """There is no room left where a store writes."""


class ReadOnlyStore(StoreError):
    """A store may be read, but not written."""


class WrongSchema(StoreError):
    """A database holds another schema than an event store's, or another version of it."""


def refuse_unknown(call: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise `UnknownArgument` for the first name in ``given`` that is not among ``known``."""
    names = list(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            there = f"known: {', '.join(names)}" if names else "it takes none"
            raise UnknownArgument(f"{call} got an unknown argument {name!r}{meant} ({there})")


def _worded(expected: Any) -> str:
    name = getattr(expected, "name", None)
    return str(name) if name else f"version {expected}"
