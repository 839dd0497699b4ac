"""Models made of functions: a policy answers events without keeping anything, a decider is an aggregate.

::

    @policy
    def welcome(event: AccountOpened):
        return SendMail(event.account_id)

    BankAccount = Decider("BankAccount", Account(), decide, evolve)

Both make a class, which stands wherever a process manager type or an aggregate type may.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType, MethodType, NoneType
from typing import Any, get_origin, overload

from calamity_lab.errors import InvalidModel, ModelError, repr_of
from calamity_lab.kernel.annotations import union_members
from calamity_lab.kernel.arguments import is_a, refuse_unknown
from calamity_lab.kernel.messages import Once
from calamity_lab.kernel.second_arguments import EXECUTE, HANDLE, Callback, Second


class PolicyType(type):
    """The class of policies. Calling a policy calls its function, as in a test: ``welcome(event)``."""

    function: Callable[..., Any]
    # The classes of the events, or the function that finds them once all of them are defined.
    _events: tuple[type, ...] | Callable[[], tuple[type, ...]]

    @property
    def events(cls) -> tuple[type, ...]:
        """The classes of the events that the policy answers. Raises `InvalidModel` where one is not there."""
        if not isinstance(cls._events, tuple):
            cls._events = cls._events()
        return cls._events

    def __call__(cls, *given: Any, **named: Any) -> Any:
        """What the function returns."""
        return cls.function(*given, **named)


class Policy(metaclass=PolicyType):
    """A process manager without state; made by `policy`."""

    @classmethod
    def new(cls, _id: Any) -> Any:
        """What is asked; it keeps nothing."""
        return object.__new__(cls)

    def apply(self, _event: Any) -> Any:
        """The same: there is nothing that an event could change."""
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@overload
def policy(function: Callable[..., Any], /) -> PolicyType: ...
@overload
def policy(*, stored_name: str) -> Callable[[Callable[..., Any]], PolicyType]: ...
def policy(*function: Any, stored_name: str = "", **unknown: Any) -> Any:
    """Make a process manager without state of a function: ``def welcome(event: AccountOpened): ...``.

    The function returns a command, a list of commands or None. The annotation says which events it answers:
    a class, or several as in ``AccountOpened | AccountClosed``. With a second parameter, ``recorded``, it
    gets the `RecordedEvent` too. A policy that was renamed keeps the name that stores know with
    ``@policy(stored_name="welcome")``.
    """
    refuse_unknown("@policy()", unknown, ("stored_name",))
    if not is_a(stored_name, str) or "-" in stored_name:
        raise InvalidModel(
            f"@policy(stored_name={repr_of(stored_name)}): give a text without a dash, as in 'welcome'"
        )
    frame = sys._getframe(1)
    names = {**frame.f_globals, **frame.f_locals}
    if not function:
        return lambda decorated: _policy(decorated, names, stored_name)
    return _policy(function[0], names, stored_name)


def _policy(function: Any, names: Mapping[str, Any], stored_name: str) -> PolicyType:
    if not is_a(function, FunctionType) or not function.__name__.isidentifier():
        raise InvalidModel(
            f"@policy stands above a function, and found {repr_of(function)}. Write @policy, and below it "
            "def welcome(event: AccountOpened): return SendMail(...)"
        )
    name = function.__name__
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise InvalidModel(f"@policy {name}: write a def that returns commands, without async and yield")
    written = f"{name}(event: AccountOpened)"
    second = _second(HANDLE, staticmethod(function), f"@policy {name}", written, "recorded")
    parameter = next(iter(inspect.signature(function).parameters))

    def interested(_cls: Any, event: Any) -> Once | None:
        return Once("policy") if isinstance(event, made.events) else None

    interested.events_of_policy = lambda: made.events  # type: ignore[attr-defined]  # for the model
    body: dict[str, Any] = {
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
        "function": staticmethod(function),
        "interested": classmethod(interested),
        "handle": _handle(function, second),
        "_events": _events_of(function, name, parameter, names),
    }
    if stored_name:
        body["stored_name"] = stored_name
    made: PolicyType = PolicyType(name, (Policy,), body)
    return made


def _handle(function: Callable[..., Any], second: Second | None) -> Callable[..., Any]:
    """``handle`` of a policy; a model is found by what the function, which it names, mentions."""
    if second is None:
        return lambda self, event: function(event)
    if second.keyword is None:
        return lambda self, event, recorded: function(event, recorded)
    keyword = second.keyword
    return lambda self, event, recorded: function(event, **{keyword: recorded})


def _events_of(
    function: FunctionType, name: str, parameter: str, names: Mapping[str, Any]
) -> tuple[type, ...] | Callable[[], tuple[type, ...]]:
    """The classes in the annotation; where one is not defined yet, a function that looks again."""
    asked = f"@policy {name}({parameter})"
    try:
        annotations = function.__annotations__
    except NameError:  # from Python 3.14 on they are worked out only now
        return lambda: _read(asked, function.__annotations__[parameter], function.__globals__)
    if parameter not in annotations:
        raise InvalidModel(
            f"{asked} does not say which events it answers. Annotate the parameter, as in "
            f"def {name}({parameter}: AccountOpened), or {parameter}: AccountOpened | AccountClosed"
        )
    try:
        return _read(asked, annotations[parameter], names)
    except NameError:
        return lambda: _read_late(asked, annotations[parameter], function.__globals__)


def _read_late(asked: str, annotation: Any, names: Mapping[str, Any]) -> tuple[type, ...]:
    try:
        return _read(asked, annotation, names)
    except NameError as error:
        raise InvalidModel(
            f"{asked} is annotated with {annotation!r}, but there is no {error.name!r} in "
            f"{names.get('__name__')}. Define or import the class, or correct its name"
        ) from error


def _read(asked: str, annotation: Any, names: Mapping[str, Any]) -> tuple[type, ...]:
    """The classes that an annotation names. Raises `NameError` for a name that is not there yet."""
    found = annotation
    try:
        while isinstance(found, str):
            found = eval(found, dict(names))
    except NameError:
        raise
    except Exception as error:
        raise InvalidModel(f"{asked}: its annotation {annotation!r} raised {error!r}") from error
    members = union_members(found)
    for member in members:
        if not _can_be_met(member):
            raise InvalidModel(
                f"{asked} is annotated with {_text(annotation)}, in which {_text(member)} is no class of "
                "events. Name the events' classes, as in AccountOpened | AccountClosed"
            )
    return members


def _can_be_met(member: Any) -> bool:
    """Whether it is a class of which an event may be."""
    if not isinstance(member, type) or member in (object, NoneType, Any) or get_origin(member) is not None:
        return False
    try:
        isinstance(None, member)
    except TypeError:  # a protocol that is not checked at run time
        return False
    return member.__module__ != "builtins"


def _text(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _second(callback: Callback, member: Any, asked: str, written: str, second: str) -> Second | None:
    """How a function takes its last argument. Raises `InvalidModel` where it cannot be called."""
    try:
        return callback.read(type(member), member)
    except ModelError as error:
        found = error.problem.partition(";")[0]
        raise InvalidModel(f"{asked} {found}. Write {written}, or {written[:-1]}, {second})") from error


class Decider(type):
    """An aggregate type made of two functions, as a value.

    ::

        BankAccount = Decider("BankAccount", Account(), decide, evolve)

    ``decide(command, state)`` returns an event, a list of events or None, and refuses with
    ``raise Rejected("reason")``; with a third parameter, ``context``, it gets the `Context`.
    ``evolve(state, event)`` returns the state after an event; with a third one, ``recorded``, it gets the
    `RecordedEvent`. The order of the parameters is that of the literature (Jérémie Chassaing's Decider).
    ``initial`` is the state before the first event, or a function that makes it from the id.

    The class stands wherever an aggregate type may, as in ``@command(to=BankAccount, by="account_id")``. Its
    objects have the fields ``id`` and ``state``. Give the class the name of the variable that holds it.
    """

    def __new__(
        mcs,
        name: str,
        initial: Any,
        decide: Callable[..., Any],
        evolve: Callable[..., Any],
        *,
        stored_name: str = "",
    ) -> Decider:
        if not is_a(name, str) or not str.isidentifier(name):
            raise InvalidModel(
                f"Decider(name={repr_of(name)}): give the name of the variable, as in "
                'BankAccount = Decider("BankAccount", Account(), decide, evolve)'
            )
        if not is_a(stored_name, str) or "-" in stored_name:
            raise InvalidModel(
                f"Decider(stored_name={repr_of(stored_name)}): give a text without a dash, as in 'Account'"
            )
        if is_a(initial, type):
            raise InvalidModel(
                f"Decider(initial={initial.__name__}): give a state, as in {initial.__name__}(), or a "
                "function that makes it from the id"
            )
        body = {
            "__module__": sys._getframe(1).f_globals.get("__name__", "__main__"),
            "__qualname__": name,
            "__annotations__": {"id": Any, "state": _state_type(initial, evolve)},
            "new": classmethod(_new(initial)),
            "execute": _execute(name, decide, initial),
            "apply": _apply(name, evolve, initial),
        }
        if stored_name:
            body["stored_name"] = stored_name
        made: Any = type.__new__(mcs, name, (), body)
        made = dataclass(frozen=True)(made)
        decider: Decider = made
        return decider

    def __init__(cls, *_given: Any, **_named: Any) -> None:
        super().__init__(cls.__name__, cls.__bases__, {})


def _state_type(initial: Any, evolve: Any) -> Any:
    """The type of a decider's state: what ``evolve`` says that it returns, else the type of the first one."""
    try:
        returned = inspect.get_annotations(evolve, eval_str=True).get("return", NoneType)
    except Exception:  # noqa: BLE001 - an annotation may name what is not there
        returned = NoneType
    if returned not in (NoneType, None):
        return returned
    return Any if is_a(initial, FunctionType) else type(initial)


def _new(initial: Any) -> Callable[[Any, Any], Any]:
    if is_a(initial, FunctionType):
        return lambda cls, id: cls(id, initial(id))  # noqa: A006 - the contract's name
    return lambda cls, id: cls(id, initial)  # noqa: A006


def _execute(name: str, decide: Any, initial: Any) -> Callable[..., Any]:
    second = _checked(EXECUTE, name, "decide", decide, ("command", "state", "context"), initial)
    if second is None:
        return lambda self, command: decide(command, self.state)
    if second.keyword is None:
        return lambda self, command, context: decide(command, self.state, context)
    return lambda self, command, context: decide(command, self.state, context=context)


def _apply(name: str, evolve: Any, initial: Any) -> Callable[..., Any]:
    second = _checked(APPLY_OF_DECIDER, name, "evolve", evolve, ("state", "event", "recorded"), initial)

    def after(self: Any, event: Any, state: Any) -> Any:
        if state is None and initial is not None:
            raise ModelError(
                f"{name}.evolve",
                f"returned None for {repr_of(event)}: every event that reaches it needs a case; return state "
                "where nothing changes",
            )
        return type(self)(self.id, state)

    if second is None:
        return lambda self, event: after(self, event, evolve(self.state, event))
    if second.keyword is None:
        return lambda self, event, recorded: after(self, event, evolve(self.state, event, recorded))
    return lambda self, event, recorded: after(self, event, evolve(self.state, event, recorded=recorded))


def _checked(
    callback: Callback, name: str, method: str, function: Any, order: tuple[str, str, str], initial: Any
) -> Second | None:
    """How a function of a decider takes its third argument. Raises `InvalidModel` where two are swapped."""
    first, second, third = order
    if not is_a(function, FunctionType, partial, MethodType):
        raise InvalidModel(
            f"Decider({name!r}, {method}={repr_of(function)}): give a function {method}({first}, {second})"
        )
    written = f"{method}({first}, {second})"
    found = _second(callback, function, f"Decider({name!r}): {method}", written, third)
    try:
        names = list(inspect.signature(function).parameters.values())[:2]
    except (TypeError, ValueError):
        return found
    state = (type(initial), type(initial).__name__)
    states = [each.name == "state" or each.annotation in state for each in names]
    if any(states) and len(states) == 2 and not states[order.index("state")]:
        raise InvalidModel(
            f"Decider({name!r}): {method} takes ({', '.join(each.name for each in names)}). The order is "
            f"{method}({first}, {second}), as in the literature: decide(command, state), evolve(state, event)"
        )
    return found


APPLY_OF_DECIDER = Callback("apply", "event", "recorded")
