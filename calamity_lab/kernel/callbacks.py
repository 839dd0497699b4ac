"""The model's callbacks, called with care: what they may return is checked, what they raise is named.

Every store calls the model through these functions, so that a broken model is told the same way everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from calamity_lab.errors import CalamityError, ModelError, Rejected, UnresolvedTarget
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import Continue, Interest, Start, Stop

_MISSING_CASE = "every event that execute returns needs a case; return self where nothing changes"


def target(command: Any) -> Identity:
    """The aggregate that a command is for."""
    name = type(command).__name__
    try:
        cls, aggregate_id = command.aggregate()
    except CalamityError:
        raise
    except Exception as error:
        raise UnresolvedTarget(f"{name}.aggregate", _why_unresolved(command, error)) from error
    if aggregate_id is None or not isinstance(cls, type):
        raise UnresolvedTarget(
            f"{name}.aggregate",
            f"returned ({cls!r}, {aggregate_id!r}); it must be an aggregate's class and an id that is not None",
        )
    return Identity(cls, aggregate_id)


def new(cls: type, id_: Any) -> Any:
    """The aggregate or process manager before anything happened to it."""
    make = getattr(cls, "new", None)
    if make is None:
        raise ModelError(
            f"{cls.__name__}.new",
            f"is missing: add `@classmethod def new(cls, id): ...` that returns the {cls.__name__} "
            "before its first event",
        )
    try:
        made = make(id_)
    except Exception as error:
        raise ModelError(f"{cls.__name__}.new", f"raised {_told(error)} for the id {id_!r}") from error
    if made is None:
        raise ModelError(f"{cls.__name__}.new", f"returned None for the id {id_!r}; return a {cls.__name__}")
    return made


def execute(aggregate: Any, command: Any) -> tuple[Any, ...]:
    """The events that a command leads to, in order. Raises `Rejected` when the aggregate refuses."""
    try:
        outcome = aggregate.execute(command)
    except Rejected as rejected:
        rejected.command = command
        raise
    except Exception as error:
        callback = f"{type(aggregate).__name__}.execute"
        raise ModelError(callback, f"raised {_told(error)} for {command!r}") from error
    events = _listed(outcome)
    for event in events:
        if type(event).__module__ == "builtins" or isinstance(event, (type, Exception)):
            _refuse_event(aggregate, command, event)
    return events


def apply(state: Any, event: Any) -> Any:
    """The aggregate or process manager after an event."""
    try:
        after = state.apply(event)
    except Exception as error:
        callback = f"{type(state).__name__}.apply"
        raise ModelError(callback, f"raised {_told(error)} for {event!r}") from error
    if type(after) is not type(state) and not hasattr(after, "apply"):
        callback = f"{type(state).__name__}.apply"
        raise ModelError(callback, f"returned {after!r} for {event!r}: {_MISSING_CASE}")
    return after


def interested(manager: type, event: Any) -> Interest | None:
    """Which instance of a process manager type the event starts, continues or stops."""
    try:
        interest: Any = manager.interested(event)  # type: ignore[attr-defined]
    except Exception as error:
        callback = f"{manager.__name__}.interested"
        raise ModelError(callback, f"raised {_told(error)} for {event!r}; return None where it is not of interest") from error
    if interest is None:
        return None
    if not isinstance(interest, (Start, Continue, Stop)):
        raise ModelError(
            f"{manager.__name__}.interested",
            f"returned {interest!r} for {event!r}; return Start(id), Continue(id), Stop(id) or None",
        )
    if interest.id is None:
        raise ModelError(
            f"{manager.__name__}.interested",
            f"returned {interest!r} for {event!r}: an instance needs an id; return None where the event is not of interest",
        )
    return interest


def handle(instance: Any, event: Any) -> tuple[Any, ...]:
    """The commands with which a process manager answers an event, in order."""
    callback = f"{type(instance).__name__}.handle"
    try:
        outcome = instance.handle(event)
    except Exception as error:
        raise ModelError(callback, f"raised {_told(error)} for {event!r}") from error
    return _commands(callback, outcome, event)


def handle_rejection(instance: Any, rejected: Rejected) -> tuple[Any, ...]:
    """The commands with which a process manager answers a refusal, in order."""
    callback = f"{type(instance).__name__}.handle_rejection"
    try:
        outcome = instance.handle_rejection(rejected)
    except Exception as error:
        raise ModelError(callback, f"raised {_told(error)} for {rejected!r}") from error
    return _commands(callback, outcome, rejected)


def _commands(callback: str, outcome: Any, cause: Any) -> tuple[Any, ...]:
    commands = _listed(outcome)
    for command in commands:
        if isinstance(command, type) or not callable(getattr(command, "aggregate", None)):
            raise ModelError(
                callback,
                f"returned {command!r} for {cause!r}, which is no command: a command has "
                "`aggregate()` (write it, or use @command(to=..., by=...)); return a command, a list or None",
            )
    return commands


def _listed(outcome: Any) -> tuple[Any, ...]:
    if outcome is None:
        return ()
    if type(outcome) in (list, tuple):
        return tuple(outcome)
    return (outcome,)


def _refuse_event(aggregate: Any, command: Any, event: Any) -> None:
    advice = (
        'refuse with `raise Rejected("reason")`'
        if isinstance(event, Exception)
        else "return an event object, a list of events or None"
    )
    raise ModelError(
        f"{type(aggregate).__name__}.execute", f"returned {event!r} for {command!r}, which is no event; {advice}"
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _why_unresolved(command: Any, error: Exception) -> str:
    if not hasattr(command, "aggregate"):
        return (
            f"is missing: {command!r} does not tell which aggregate it is for; "
            "use @command(to=TheAggregate, by='its_id_field'), or write aggregate(self) -> (type, id)"
        )
    return f"raised {_told(error)} for {command!r}; it must return (aggregate type, id)"


def fold(state: Any, events: Iterable[Any]) -> Any:
    """The state after all the events, in order."""
    for event in events:
        state = apply(state, event)
    return state
