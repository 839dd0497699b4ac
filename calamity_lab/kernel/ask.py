"""The one door to a model's callbacks: what they return is checked, what they raise names the callback.

Every store, the kernel and every probe ask the model through these functions, as in
``ask.execute(aggregate, command)``. So the door can be wrapped: within ``with ask.through(wrapper):`` every
question of this thread goes to the wrapper, which may ask it once, twice, in silence, against a clock, or not
at all::

    def timed(question: Question) -> Any:
        start = perf_counter()
        answer = question()                      # asks the model, and gives the bare answer
        times[question.name] += perf_counter() - start
        return answer

    with ask.through(timed):
        step, run = advance(run)

A wrapper gives back the answer, or raises: `Rejected` is a rejection, a `ModelError` passes as it is, and any
other exception is reported as if the callback had raised it. Wrappers nest: the inner one is asked first.
Without a wrapper the door costs nothing. `calamity_lab.trace.purity` is the wrapper that watches a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError, ModelError, Rejected, UnresolvedTarget
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.messages import Continue, Interest, Start, Stop


class Question(NamedTuple):
    """A question to the model on its way through a wrapper. Calling it asks, and gives the bare answer.

    ``subject`` is what is asked: an aggregate, a process manager instance, a class (of ``new`` and
    ``interested``) or a command (of ``aggregate``). ``message`` is what it is asked about: a command, an
    event, an id or a `Rejected`; None for ``aggregate``, which takes nothing.
    """

    subject: Any
    method: str
    message: Any
    then: Callable[[Any, str, Any], Any]

    @property
    def name(self) -> str:
        """The name of the callback, as in "BankAccount.apply"."""
        return f"{_name(self.subject)}.{self.method}"

    def __call__(self) -> Any:
        return self.then(self.subject, self.method, self.message)


_way: ContextVar[Callable[[Any, str, Any], Any] | None] = ContextVar("way to the model", default=None)
_wrapped = _way.get


@contextmanager
def through(wrapper: Callable[[Question], Any]) -> Iterator[None]:
    """Let every question of this thread to the model go through a wrapper, as long as the block lasts."""
    then = _way.get() or _bare
    token = _way.set(lambda subject, method, message: wrapper(Question(subject, method, message, then)))
    try:
        yield
    finally:
        _way.reset(token)


def _bare(subject: Any, method: str, message: Any) -> Any:
    callback = getattr(subject, method)
    return callback() if method == "aggregate" else callback(message)


_INTERESTS = (Start, Continue, Stop)
_MISSING_CASE = "every event that reaches it needs a case; return self where nothing changes"


def target(command: Any) -> Identity:
    """The aggregate that a command is for."""
    try:
        way = _wrapped()
        cls, aggregate_id = command.aggregate() if way is None else way(command, "aggregate", None)
    except CalamityError:
        raise
    except Exception as error:
        raise UnresolvedTarget(f"{_name(command)}.aggregate", _why_unresolved(command, error)) from error
    if aggregate_id is None or not isinstance(cls, type):
        raise UnresolvedTarget(
            f"{_name(command)}.aggregate",
            f"returned ({cls!r}, {aggregate_id!r}); it must be an aggregate's class and an id, not None",
        )
    return identify(cls, aggregate_id)


def new(cls: type, id_: Any) -> Any:
    """The aggregate or process manager before anything happened to it."""
    callback, make = f"{cls.__name__}.new", getattr(cls, "new", None)
    if make is None:
        raise ModelError(
            callback,
            f"is missing: add `@classmethod def new(cls, id): ...` that returns the {cls.__name__} "
            "before its first event",
        )
    try:
        way = _wrapped()
        made = make(id_) if way is None else way(cls, "new", id_)
    except ModelError:
        raise
    except Exception as error:
        hint = (
            "" if getattr(make, "__self__", None) is cls else "; it must be a @classmethod that takes the id"
        )
        raise ModelError(callback, f"raised {_words(error)} for the id {id_!r}{hint}") from error
    if made is None:
        raise ModelError(callback, f"returned None for the id {id_!r}; return a {cls.__name__}")
    return made


def execute(aggregate: Any, command: Any) -> tuple[Any, ...]:
    """The events that a command leads to, in order. Raises `Rejected` when the aggregate rejects it."""
    try:
        way = _wrapped()
        outcome = aggregate.execute(command) if way is None else way(aggregate, "execute", command)
    except Rejected as rejected:
        raise _rejection(rejected, command) from rejected.__cause__
    except ModelError:
        raise
    except Exception as error:
        raise _broken(aggregate, "execute", "command", error, command) from error
    events = _listed(outcome)
    for event in events:
        cls = event.__class__
        if cls.__module__ == "builtins" or isinstance(event, (type, Exception)):
            _refuse_event(aggregate, command, event)
    return events


def apply(state: Any, event: Any) -> Any:
    """The aggregate or process manager after an event."""
    try:
        way = _wrapped()
        after = state.apply(event) if way is None else way(state, "apply", event)
    except ModelError:
        raise
    except Exception as error:
        raise _broken(state, "apply", "event", error, event) from error
    if after.__class__ is not state.__class__ and not hasattr(after, "apply"):
        raise ModelError(f"{_name(state)}.apply", f"returned {after!r} for {event!r}: {_MISSING_CASE}")
    return after


def interested(manager: Any, event: Any) -> Interest | None:
    """Which instance of a process manager type the event starts, continues or stops."""
    try:
        way = _wrapped()
        interest = manager.interested(event) if way is None else way(manager, "interested", event)
    except ModelError:
        raise
    except Exception as error:
        problem = f"raised {_words(error)} for {event!r}; return None where an event is not of interest"
        raise ModelError(f"{manager.__name__}.interested", problem) from error
    if interest is None:
        return None
    if not isinstance(interest, _INTERESTS):
        problem = f"returned {interest!r} for {event!r}; return Start(id), Continue(id), Stop(id) or None"
        raise ModelError(f"{manager.__name__}.interested", problem)
    if interest.id is None:
        problem = (
            f"returned {interest!r} for {event!r}: an instance needs an id; return None where there is none"
        )
        raise ModelError(f"{manager.__name__}.interested", problem)
    return interest


def handle(instance: Any, event: Any) -> tuple[Any, ...]:
    """The commands with which a process manager answers an event, in order."""
    try:
        way = _wrapped()
        outcome = instance.handle(event) if way is None else way(instance, "handle", event)
    except ModelError:
        raise
    except Exception as error:
        raise _broken(instance, "handle", "event", error, event) from error
    return () if outcome is None else _commands(instance, "handle", outcome, event)


def handle_rejection(instance: Any, rejected: Rejected) -> tuple[Any, ...]:
    """The commands with which a process manager answers a rejection, in order."""
    try:
        way = _wrapped()
        outcome = (
            instance.handle_rejection(rejected)
            if way is None
            else way(instance, "handle_rejection", rejected)
        )
    except ModelError:
        raise
    except Exception as error:
        raise _broken(instance, "handle_rejection", "rejected", error, rejected) from error
    return () if outcome is None else _commands(instance, "handle_rejection", outcome, rejected)


def _rejection(rejected: Rejected, command: Any) -> Rejected:
    """The rejection with its command; a copy if one object is raised again and again."""
    if rejected.command is not None and rejected.command is not command:
        again = type(rejected).__new__(type(rejected), *rejected.args)
        again.__dict__.update(rejected.__dict__)
        again.args = rejected.args
        rejected = again
    rejected.command = command
    return rejected


def _commands(instance: Any, method: str, outcome: Any, cause: Any) -> tuple[Any, ...]:
    commands = _listed(outcome)
    for command in commands:
        if isinstance(command, type) or not callable(getattr(command, "aggregate", None)):
            raise ModelError(
                f"{_name(instance)}.{method}",
                f"returned {command!r} for {cause!r}, which is no command: a command has "
                "`aggregate()` (write it, or use @command(to=..., by=...)); return a command, a list or None",
            )
    return commands


def _listed(outcome: Any) -> tuple[Any, ...]:
    if outcome is None:
        return ()
    cls = outcome.__class__
    if cls is tuple or isinstance(outcome, list):  # a named tuple is one message
        return tuple(outcome)
    return (outcome,)


def _refuse_event(aggregate: Any, command: Any, event: Any) -> None:
    advice = (
        'refuse with `raise Rejected("reason")`'
        if isinstance(event, Exception)
        else "return an event object, a list of events or None"
    )
    raise ModelError(
        f"{type(aggregate).__name__}.execute",
        f"returned {event!r} for {command!r}, which is no event; {advice}",
    )


def _broken(state: Any, method: str, parameter: str, error: Exception, given: Any) -> ModelError:
    callback = f"{_name(state)}.{method}"
    if not hasattr(state, method):
        return ModelError(callback, f"is missing: add `def {method}(self, {parameter}): ...` for {given!r}")
    return ModelError(callback, f"raised {_words(error)} for {given!r}")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _name(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


def _why_unresolved(command: Any, error: Exception) -> str:
    if not hasattr(command, "aggregate"):
        return (
            f"is missing: {command!r} does not say which aggregate it is for; "
            "use @command(to=TheAggregate, by='its_id_field'), or write aggregate(self) -> (type, id)"
        )
    if isinstance(command, type):
        return f"was asked of the class itself; send a command, as in {command.__name__}(...)"
    return f"raised {_words(error)} for {command!r}; it must return (aggregate type, id)"
