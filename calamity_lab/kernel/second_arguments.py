"""What a callback may take besides the message, and whether it does: its signature says so.

``execute(self, command, context)`` gets a `Context`. ``interested(cls, event, recorded)``,
``key(cls, event, recorded)``, ``apply(self, event, recorded)`` and ``handle(self, event, recorded)`` get the
`RecordedEvent`, and so does ``handle_rejection(self, rejected, recorded)``: the event that the rejected
command answers.

A second parameter without a default gets it, whatever its name. A parameter with a default, or one that is
given by keyword only, gets it where it is named ``context`` or ``recorded``. A callback is looked at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partialmethod, singledispatchmethod
from typing import Any, NamedTuple

from msgspec import field

from calamity_lab.errors import ModelError
from calamity_lab.kernel.clocks_and_ids import derived_id
from calamity_lab.kernel.frozen import ComparedInPart
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.recorded import NO_METADATA, RecordedEvent, of_event


class Context(ComparedInPart, frozen=True, eq=False):
    """What ``execute(self, command, context)`` may know of the command that it decides.

    ``now`` is the time of the stack's clock, in UTC; the events are recorded with this time. ``metadata``
    was given with the submitted command. ``sender`` is the stream id of the process manager instance that
    sent the command, and ``version`` is that of the aggregate. ``new_id()`` gives a fresh id.
    """

    now: datetime
    command_id: str
    correlation_id: str = ""
    metadata: Mapping[str, Any] = NO_METADATA
    sender: str | None = None
    version: int = 0
    _drawn: list[int] = field(default_factory=lambda: [0])

    aside = hidden = frozenset({"_drawn"})

    def new_id(self) -> str:
        """A fresh id. The n-th id of a command is the same whenever the command is decided again."""
        self._drawn[0] += 1
        return derived_id(self.command_id, "new_id", self._drawn[0])

    def again(self) -> Context:
        """The context as it was before an id was drawn, for asking the same question again."""
        return Context(
            self.now, self.command_id, self.correlation_id, self.metadata, self.sender, self.version
        )


def as_decided(
    events: Iterable[Any], stream_id: str, command: Any, context: Context
) -> tuple[RecordedEvent, ...]:
    """The records of events that are decided and not appended: their positions are 0, their ids empty.

    All else is as it will be recorded.
    """
    known = of_event(context.metadata, stored_name(type(command)), context.sender)
    return tuple([
        RecordedEvent(
            event=event,
            event_type=stored_name(type(event)),
            event_id="",
            stream_id=stream_id,
            stream_version=version,
            position=0,
            correlation_id=context.correlation_id,
            causation_id=context.command_id,
            recorded_at=context.now,
            metadata=known,
        )
        for version, event in enumerate(events, context.version + 1)
    ])  # fmt: skip


class Second(NamedTuple):
    """How a callback takes its second argument: by position, or by a keyword; one may be left out."""

    keyword: str | None
    required: bool


class _ByMessage:
    """How the methods of a `singledispatchmethod` take it: each message may have a method of its own."""

    def __init__(self, callback: Callback, cls: type, method: Any) -> None:
        self._callback, self._cls, self._dispatcher = callback, cls, method.dispatcher
        self._known: dict[Any, Second | None] = {}
        self.any()  # each is looked at now, so that a bad one is named

    def of(self, message: Any) -> Second | None:
        return self._how(self._dispatcher.dispatch(type(message)))

    def any(self) -> bool:
        return any(self._how(registered) is not None for registered in self._dispatcher.registry.values())

    def _how(self, registered: Any) -> Second | None:
        if registered not in self._known:
            self._known[registered] = self._callback.read(self._cls, registered)
        return self._known[registered]


class Callback(dict[type, Any]):
    """How each class takes the second argument of one callback: None where it takes none."""

    def __init__(self, method: str, first: str, second: str) -> None:
        super().__init__()
        self.method, self._first, self._second = method, first, second

    def __missing__(self, cls: Any) -> Any:
        member = inspect.getattr_static(cls, self.method, None)
        if len(self) > _MOST:
            self.clear()
        found = self[cls] = (
            _ByMessage(self, cls, member)
            if isinstance(member, singledispatchmethod)
            else self.read(cls, member)
        )
        return found

    def call(self, cls: Any, callback: Any, message: Any, known: Any) -> Any:
        """Ask a callback, with what is known where it takes that."""
        how = self[cls]
        second: Second | None = how.of(message) if type(how) is _ByMessage else how
        if second is None or (known is None and not second.required):
            return callback(message)
        if known is None:
            raise ModelError(
                f"{cls.__name__}.{self.method}",
                f"takes a {self._second!r} beside the {self._first}, and whoever asked it gave none. A store "
                "or a program that calls it itself must hand that on",
            )
        if type(known) is Context:
            known = known.again()
        if second.keyword is not None:
            return callback(message, **{second.keyword: known})
        return callback(message, known)

    def read(self, cls: Any, member: Any) -> Second | None:
        """How a method takes it. Raises `ModelError` for one that cannot be asked."""
        if member is None or isinstance(member, type):
            return None
        is_bound = not isinstance(member, staticmethod) and hasattr(member, "__get__")
        is_partial = isinstance(member, partialmethod)
        function = getattr(cls, self.method) if is_partial else getattr(member, "__func__", member)
        while True:
            try:
                parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
            except (TypeError, ValueError):
                parameters = [_ANY]  # a callable of C says nothing
            is_open = any(each.kind is each.VAR_POSITIONAL for each in parameters)
            if not is_open or not hasattr(function, "__wrapped__"):
                break
            function = function.__wrapped__
        if is_bound and parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            del parameters[0]
        return self._second_of(cls, parameters, is_open=is_open)

    def _second_of(self, cls: Any, parameters: list[inspect.Parameter], *, is_open: bool) -> Second | None:
        by_position = [each for each in parameters if each.kind in _BY_POSITION]
        required = [each.name for each in by_position if each.default is each.empty]
        keywords = [
            each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.default is each.empty
        ]
        if not by_position and not is_open:
            raise self._wrong(cls, f"takes no {self._first}")
        extra = [*required[1:], *keywords]
        if len(extra) > 1 or keywords not in ([], [self._second]):
            raise self._wrong(cls, f"needs {', '.join([*required[:1], *extra])}")
        if extra:
            return Second(keywords[0] if keywords else None, required=True)
        named = [each for each in parameters if each.name == self._second and each not in by_position[:1]]
        return Second(self._second, required=False) if named and named[0].kind in _BY_NAME else None

    def _wrong(self, cls: Any, found: str) -> ModelError:
        first, second = self._first, self._second
        me = "cls" if self.method in {"interested", "key"} else "self"
        return ModelError(
            f"{cls.__name__}.{self.method}",
            f"{found}; write `def {self.method}({me}, {first})`, or `def {self.method}({me}, {first}, "
            f"{second})`. Other parameters need a default",
        )


_MOST = 2_000
_ANY = inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

EXECUTE = Callback("execute", "command", "context")
APPLY = Callback("apply", "event", "recorded")
INTERESTED = Callback("interested", "event", "recorded")
HANDLE = Callback("handle", "event", "recorded")
KEY = Callback("key", "event", "recorded")  # of a projection
HANDLE_REJECTION = Callback("handle_rejection", "rejected", "recorded")
DISPATCH = Callback("dispatch", "command", "context")  # of an aggregate store
CALLBACKS = {each.method: each for each in (EXECUTE, APPLY, INTERESTED, HANDLE, HANDLE_REJECTION, KEY)}


def takes_context_or_record(cls: type) -> bool:
    """Whether an aggregate type takes more than the command and the event."""
    execute, apply = EXECUTE[cls], APPLY[cls]
    if execute is None and apply is None:  # as most classes
        return False
    return _is_taken(execute) or _is_taken(apply)


def takes_record(cls: type) -> bool:
    """Whether ``apply`` of a class gets the `RecordedEvent` too."""
    return _is_taken(APPLY[cls])


def _is_taken(how: Any) -> bool:
    return how is not None and (type(how) is not _ByMessage or how.any())


def problem_of(cls: type, method: str) -> str | None:
    """What is wrong with the parameters of a callback; None where it can be asked."""
    try:
        CALLBACKS[method][cls]
    except ModelError as error:
        return str(error)
    return None
