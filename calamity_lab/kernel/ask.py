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

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, singledispatchmethod
from inspect import Parameter, getattr_static, signature
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidValue, ModelError, Rejected, UnresolvedTarget, repr_of
from calamity_lab.errors.tracebacks import raised_in
from calamity_lab.kernel.annotations import method_annotations, union_members
from calamity_lab.kernel.arguments import has, words_of
from calamity_lab.kernel.hints import UNFINISHED, advice_on, let_go, see, why_unfinished
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.messages import After, At, Cancel, Continue, Interest, Once, Start, Stop
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.second_arguments import APPLY, CALLBACKS, EXECUTE, HANDLE, INTERESTED, Context


class Question(NamedTuple):
    """A question to the model on its way through a wrapper. Calling it asks, and gives the bare answer.

    ``subject`` is what is asked: an aggregate, a process manager instance, a projection, a class (of ``new``,
    ``interested`` and ``key``) or a command (of ``aggregate``). ``message`` is what it is asked about: a
    command, an event, an id or a `Rejected`; None for a callback that takes nothing. ``known`` is what the
    callback gets besides, where it takes that: a `Context` or a `RecordedEvent`.
    """

    subject: Any
    method: str
    message: Any
    then: Callable[[Any, str, Any, Any], Any]
    known: Any = None

    @property
    def name(self) -> str:
        """The name of the callback, as in "BankAccount.apply"."""
        return f"{_name(self.subject)}.{self.method}"

    def __call__(self) -> Any:
        return self.then(self.subject, self.method, self.message, self.known)


_way: ContextVar[Callable[[Any, str, Any, Any], Any] | None] = ContextVar("way to the model", default=None)
_wrapped = _way.get


@contextmanager
def through(wrapper: Callable[[Question], Any]) -> Iterator[None]:
    """Let every question of this thread to the model go through a wrapper, as long as the block lasts."""
    then = _way.get() or _bare
    token = _way.set(
        lambda subject, method, message, known: wrapper(Question(subject, method, message, then, known))
    )
    try:
        yield
    finally:
        _way.reset(token)


def _bare(subject: Any, method: str, message: Any, known: Any) -> Any:
    callback, how = getattr(subject, method), CALLBACKS.get(method)
    if how is not None:
        return how.call(subject if method in _OF_CLASSES else type(subject), callback, message, known)
    return callback() if message is None else callback(message)


def _call(subject: Any, method: str, message: Any, known: Any) -> Any:
    """Ask a callback that takes a second argument, or on the way through a wrapper."""
    return (_wrapped() or _bare)(subject, method, message, known)


_REST = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_OF_CLASSES = ("interested", "key")
_INTERESTS = (Start, Continue, Stop, Once)
_LATER = (After, At, Cancel)
_NO_EVENTS = (type, Exception)
_NO_MESSAGES = ("builtins", "_io")  # values of Python itself, and open files
_MISSING_CASE = "every event needs a case: `return replace(self, ...)`, or return self where nothing changes"


def target(command: Any) -> Identity:
    """The aggregate that a command is for."""
    try:
        way = _wrapped()
        cls, aggregate_id = command.aggregate() if way is None else way(command, "aggregate", None, None)
        if aggregate_id is not None and isinstance(cls, type):
            return identify(cls, aggregate_id)
    except ModelError:
        raise
    except Exception as error:
        raise UnresolvedTarget(f"{_name(command)}.aggregate", _why_unresolved(command, error)) from error
    raise UnresolvedTarget(
        f"{_name(command)}.aggregate",
        f"returned ({repr_of(cls)}, {repr_of(aggregate_id)}); give a class and an id, not None",
    )


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
        made = make(id_) if way is None else way(cls, "new", id_, None)
    except ModelError:
        raise
    except Exception as error:
        hint = (
            "" if getattr(make, "__self__", None) is cls else "; it must be a @classmethod that takes the id"
        )
        raise ModelError(callback, f"{_raised(error, make)} for the id {repr_of(id_)}{hint}") from error
    if made is None or type(made) in UNFINISHED:
        raise _wrong(cls, "new", made, f"returned None for the id {repr_of(id_)}; return a {cls.__name__}")
    return made


def new_projection(cls: type, key: Any = None) -> Any:
    """The projection before its first event; ``new`` is given the key where it needs an argument."""
    callback, make = f"{cls.__name__}.new", getattr(cls, "new", None)
    if make is None:
        raise ModelError(
            callback,
            f"is missing: add `@classmethod def new(cls): ...` that returns the {cls.__name__} "
            "before its first event",
        )
    if not needs_argument(make):
        key = None
    given = "" if key is None else f" for the key {repr_of(key)}"
    try:
        way = _wrapped()
        made = (make() if key is None else make(key)) if way is None else way(cls, "new", key, None)
    except ModelError:
        raise
    except Exception as error:
        hint = "" if getattr(make, "__self__", None) is cls else "; it must be a @classmethod"
        raise ModelError(callback, f"{_raised(error, make)}{given}{hint}") from error
    if made is None:
        raise ModelError(callback, f"returned None{given}; return a {cls.__name__}")
    return made


@lru_cache(maxsize=256)
def needs_argument(make: Any) -> bool:
    """Whether a function cannot be called without an argument; False where its signature is not known."""
    try:
        parameters = signature(make).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(each.default is each.empty and each.kind not in _REST for each in parameters)


def is_keyed(projection: type) -> bool:
    """Whether a projection has an instance for each key."""
    return has(projection, "key")


def key(projection: Any, event: Any, recorded: RecordedEvent | None = None) -> Any:
    """The key of the instance of a projection that an event is for; None where it is for none."""
    try:
        found = _call(projection, "key", event, recorded)
        return found if found is None else identify(projection, found).id
    except ModelError:
        raise
    except InvalidValue as error:
        raise ModelError(f"{_name(projection)}.key", f"gave no key for {repr_of(event)}: {error}") from error
    except Exception as error:
        is_bound = getattr(projection.key, "__self__", None) is projection
        hint = "return None where an event is for no instance" if is_bound else "it must be a @classmethod"
        problem = f"{_raised(error, projection.key)} for {repr_of(event)}; {hint}"
        raise ModelError(f"{_name(projection)}.key", problem) from error


def execute(aggregate: Any, command: Any, context: Context | None = None) -> tuple[Any, ...]:
    """The events that a command leads to, in order. Raises `Rejected` when the aggregate rejects it."""
    try:
        is_plain = EXECUTE[type(aggregate)] is None and _wrapped() is None
        outcome = aggregate.execute(command) if is_plain else _call(aggregate, "execute", command, context)
    except Rejected as rejected:
        raise _rejection(rejected, command) from rejected.__cause__
    except ModelError:
        raise
    except Exception as error:
        raise _broken(aggregate, "execute", "command", error, command) from error
    events = _listed(outcome, aggregate, "execute")
    for event in events:
        cls = type(event)
        if cls.__module__ in _NO_MESSAGES or issubclass(cls, _NO_EVENTS):
            _refuse_event(aggregate, command, event)
    return events


def apply(state: Any, event: Any, recorded: RecordedEvent | None = None) -> Any:
    """The aggregate or process manager after an event."""
    try:
        is_plain = APPLY[type(state)] is None and _wrapped() is None
        after = state.apply(event) if is_plain else _call(state, "apply", event, recorded)
    except ModelError:
        raise
    except Exception as error:
        raise _broken(state, "apply", "event", error, event) from error
    if type(after) is not type(state) and not has(after, "apply"):
        found = f"returned {repr_of(after)} for {repr_of(event)}"
        is_command = type(after) not in UNFINISHED and has(event, "aggregate")
        todo = "that is a command, and execute returns events" if is_command else _MISSING_CASE
        raise _wrong(state, "apply", after, f"{found}: {todo}")
    return after


def takes_rejections(cls: type) -> bool:
    """Whether ``apply`` of a class says that it takes a `Rejected` too, as in ``event: Paid | Rejected``."""
    return bool(taken_rejections(cls))


@lru_cache(maxsize=1024)
def taken_rejections(cls: type) -> tuple[type, ...]:
    """The classes of rejections that ``apply`` of a class says it takes: `Rejected`, or some of its own."""
    member = getattr_static(cls, "apply", None)
    if isinstance(member, singledispatchmethod):
        named: Iterable[Any] = member.dispatcher.registry
    else:
        annotation = next(iter(method_annotations(cls, "apply").values()), None)
        named = union_members(annotation)
    return tuple([each for each in named if isinstance(each, type) and issubclass(each, Rejected)])


def interested(manager: Any, event: Any, recorded: RecordedEvent | None = None) -> tuple[Interest, ...]:
    """Which instances of a process manager type the event starts, continues or stops, in order."""
    try:
        is_plain = INTERESTED[manager] is None and _wrapped() is None
        interest = manager.interested(event) if is_plain else _call(manager, "interested", event, recorded)
    except ModelError:
        raise
    except Exception as error:
        raised = _raised(error, getattr(manager, "interested", None))
        problem = f"{raised} for {repr_of(event)}; return None where an event is not of interest"
        raise ModelError(f"{_name(manager)}.interested", problem) from error
    if interest is None:
        return ()
    if type(interest) in _INTERESTS and type(interest.id) is str:
        return (interest,)
    interests = _listed(interest, manager, "interested")
    for each in interests:
        _check_interest(manager, event, each)
    if len(interests) > 1:
        _check_instances(manager, event, interests)
    return interests


def _check_instances(manager: Any, event: Any, interests: tuple[Interest, ...]) -> None:
    """Raise for an answer that names one instance twice: the event concerns it once."""
    counts = Counter(identify(manager, each.id).stream_id for each in interests)
    name, count = counts.most_common(1)[0]
    if count > 1:
        raise ModelError(
            f"{_name(manager)}.interested",
            f"named the instance {name} more than once for {repr_of(event)}: {repr_of(interests)}. An event "
            "concerns an instance once; return one Start, Continue or Stop for each instance",
        )


def _check_interest(manager: Any, event: Any, interest: Any) -> None:
    """Raise for an answer of ``interested`` that is no interest, or that names no instance."""
    if not issubclass(type(interest), _INTERESTS):
        problem = "; return Start(id), Continue(id), Stop(id), a list of these or None"
    elif interest.id is None:
        problem = ": an instance needs an id; return None where there is none"
    else:
        try:
            identify(manager, interest.id)
            return
        except InvalidValue as error:
            problem = f": {error}"
    answered = f"returned {repr_of(interest)} for {repr_of(event)}"
    raise _wrong(manager, "interested", interest, f"{answered}{problem}")


def handle(instance: Any, event: Any, recorded: RecordedEvent | None = None) -> tuple[Any, ...]:
    """The commands and deadlines with which a process manager answers an event, in order."""
    try:
        is_plain = HANDLE[type(instance)] is None and _wrapped() is None
        outcome = instance.handle(event) if is_plain else _call(instance, "handle", event, recorded)
    except ModelError:
        raise
    except Exception as error:
        raise _broken(instance, "handle", "event", error, event) from error
    return () if outcome is None else _commands(instance, "handle", outcome, event)


def handle_rejection(
    instance: Any, rejected: Rejected, recorded: RecordedEvent | None = None
) -> tuple[Any, ...]:
    """The commands and deadlines with which a process manager answers a rejection, in order.

    ``recorded`` is the event that the rejected command answers.
    """
    try:
        outcome = _call(instance, "handle_rejection", rejected, recorded)
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
    commands = _listed(outcome, instance, method)
    for command in commands:
        if issubclass(type(command), type) or not has(command, "aggregate"):
            if type(command) in _LATER:
                continue
            raise _wrong(
                instance,
                method,
                command,
                f"returned {repr_of(command)} for {repr_of(cause)}, which is no command: a command has "
                "`aggregate()` (write it, or use @command(to=..., by=...)); return a command, a deadline (as "
                "After(timedelta(days=1), command)), a list or None",
            )
    return commands


def _listed(outcome: Any, asked: Any, method: str) -> tuple[Any, ...]:
    if outcome is None:
        return ()
    cls = type(outcome)
    if cls is not tuple and not issubclass(cls, list):  # a named tuple is one message
        return (outcome,)
    try:
        return tuple(outcome)
    except Exception as error:
        raise ModelError(
            f"{_name(asked)}.{method}",
            f"returned a {cls.__name__} that raised {words_of(error)} when it was read",
        ) from error


def _refuse_event(aggregate: Any, command: Any, event: Any) -> None:
    advice = (
        'refuse with `raise Rejected("reason")`'
        if issubclass(type(event), Exception)
        else "return an event object, a list of events or None"
    )
    answered = f"returned {repr_of(event)} for {repr_of(command)}"
    raise _wrong(aggregate, "execute", event, f"{answered}, which is no event; {advice}")


def _wrong(asked: Any, method: str, answer: Any, problem: str) -> ModelError:
    """The error for an answer that a callback may not give, and where the callback is written."""
    callback = getattr(asked if isinstance(asked, type) else type(asked), method, None)
    if type(answer) in UNFINISHED:
        let_go(answer)
        problem = why_unfinished(callback, method) or problem
    return ModelError(f"{_name(asked)}.{method}", f"{problem}{see(callback)}")


def _broken(state: Any, method: str, parameter: str, error: Exception, given: Any) -> ModelError:
    callback = f"{_name(state)}.{method}"
    if not has(state, method) and isinstance(error, (AttributeError, TypeError)):
        return ModelError(
            callback, f"is missing: add `def {method}(self, {parameter}): ...` for {repr_of(given)}"
        )
    raised = _raised(error, getattr(type(state), method, None))
    return ModelError(callback, f"{raised} for {repr_of(given)}{advice_on(error, method)}")


def _raised(error: Exception, callback: Any) -> str:
    """What a callback raised, and the line of the user's code."""
    return f"raised {words_of(error)}{raised_in(error, callback)}"


def _name(value: Any) -> str:
    return value.__name__ if issubclass(type(value), type) else type(value).__name__


def _why_unresolved(command: Any, error: Exception) -> str:
    if not has(command, "aggregate") and isinstance(error, (AttributeError, TypeError)):
        return (
            f"is missing: {repr_of(command)} does not say which aggregate it is for; "
            "use @command(to=TheAggregate, by='its_id_field'), or write aggregate(self) -> (type, id)"
        )
    if issubclass(type(command), type):
        return f"was asked of the class itself; send a command, as in {command.__name__}(...)"
    raised = _raised(error, getattr(type(command), "aggregate", None))
    return f"{raised} for {repr_of(command)}; it must return (aggregate type, id)"
