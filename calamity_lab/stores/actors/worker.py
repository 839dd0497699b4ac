"""What a worker of a cluster runs, and the JSON in which callers and workers write to each other.

A JSON list begins with a word for what it is; where the word is empty, the list is a sequence. The serializer
writes messages and states, each with the path that its class is imported from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from calamity_lab.errors import (
    CalamityError,
    InvalidModel,
    ModelError,
    ReadOnlyStore,
    Rejected,
    SerializationError,
    StoreError,
    StoreFull,
    StoreUnavailable,
    WrongSchema,
)
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.messages import After, At, Cancel
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.protocol import Behind, CatchUpResult, Decided, ReactResult, Read
from calamity_lab.stores.actors.stack_actor import DispatchResult, StackInActor, Submission
from calamity_lab.stores.serializer.serializer import Serializer


class ActorHost:
    """The actors of one worker, by name. Calls and answers are JSON.

    To Dask it is one actor. Dask's actors of one worker share a thread and die together in any case, and the
    scheduler takes its time to start each of them.
    """

    def __init__(self, vocabulary: tuple[str, ...]) -> None:
        self._codec = WireCodec(vocabulary)
        self._actors: dict[str, Any] = {}

    async def call(self, text: bytes) -> bytes:
        """The answer of an actor to a call; an actor that is not there starts.

        A call takes microseconds, so it is answered in the worker's event loop.
        """
        return self._answer(text)

    def call_in_thread(self, text: bytes) -> bytes:
        """The same for a call that takes its time: the worker can do other things meanwhile."""
        return self._answer(text)

    def _answer(self, text: bytes) -> bytes:
        try:
            name, held, method, given, ended = self._codec.read(text)
            for gone in ended:
                self.drop(gone)
            actor = self._actors.get(name)
            if actor is None:
                actor = self._actors[name] = _held_by_actor(class_at(held)())
            return self._codec.write(getattr(actor, method)(*given))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here, the caller must hear of it
            return self._codec.failure(error)

    def names(self) -> list[str]:
        """The names of the actors on this worker."""
        return sorted(self._actors)

    def drop(self, name: str) -> None:
        """Stop an actor. A stack's event store, which the stack's own function opened, is closed."""
        actor = self._actors.pop(name, None)
        if isinstance(actor, StackInActor):
            actor.close()


def _held_by_actor(held: Any) -> Any:
    """What an actor holds: for a stack, the object that carries out its commands."""
    return StackInActor.behind(held, lambda stack: None) if isinstance(held, Stack) else held


_PLAIN = frozenset({type(None), bool, int, float, str})
_ANSWERS: dict[str, type] = {
    cls.__name__: cls
    for cls in (Behind, CatchUpResult, DispatchResult, Decided, KeptRejection, ReactResult, Read)
}
_FAILURES: dict[str, type[CalamityError]] = {
    cls.__name__: cls
    for cls in (
        InvalidModel,
        SerializationError,
        StoreError,
        StoreUnavailable,
        StoreFull,
        ReadOnlyStore,
        WrongSchema,
    )
}


class WireCodec:
    """Writes and reads calls and answers. ``vocabulary`` has the paths of classes in no annotation."""

    def __init__(self, vocabulary: Iterable[str] = ()) -> None:
        self._serializer = Serializer([class_at(path) for path in vocabulary])
        self._writers: dict[type, Callable[[Any], Any]] = {
            tuple: lambda items: ["", *[self._tree(item) for item in items]],
            list: lambda items: ["", *[self._tree(item) for item in items]],
            Identity: lambda identity: ["identity", path_of(identity.type), self._id(identity.id)],
            RecordedEvent: self._of_recorded,
            Verb: lambda verb: verb.value,
            Submission: lambda sent: ["submission", sent.command_id, sent.is_retry],
            datetime: lambda time: ["time", time.isoformat()],
            After: lambda after: ["after", *_parts(after.delay), self._tree(after.command), after.name],
            At: lambda at: ["at", at.time.isoformat(), self._tree(at.command), at.name],
            Cancel: lambda off: [
                "cancel",
                *(["", off.what] if type(off.what) is str else [path_of(off.what)]),
            ],
            **dict.fromkeys(_ANSWERS.values(), self._of_answer),
        }
        self._readers: dict[str, Callable[..., Any]] = {
            "": lambda *items: tuple([self._value(item) for item in items]),
            "is": lambda path, text: self._serializer.decode_state(class_at(path), text),
            "id": lambda text: self._serializer.decode_metadata(text)["id"],
            "identity": lambda path, id_: identify(class_at(path), self._value(id_)),
            "recorded": self._recorded,
            "submission": _submission,
            "time": datetime.fromisoformat,
            "after": lambda days, seconds, rest, command, name: After(
                timedelta(days, seconds, rest), self._value(command), name
            ),
            "at": lambda time, command, name: At(datetime.fromisoformat(time), self._value(command), name),
            "cancel": lambda path, name="": Cancel(class_at(path) if path else name),
            "answer": lambda name, *parts: _ANSWERS[name](*[self._value(part) for part in parts]),
            "rejected": self._rejected,
            "broken": ModelError,
            "error": StoreError,
        }

    def write(self, value: Any) -> bytes:
        """A call or an answer as JSON."""
        return msgspec.json.encode(self._tree(value))

    def read(self, text: bytes) -> Any:
        """The call or the answer in a JSON text. Raises the error that a worker reported."""
        tree = msgspec.json.decode(text)
        if isinstance(tree, list) and tree[0] == "failure":
            raise _FAILURES.get(tree[1], StoreError)(tree[2])
        return self._value(tree)

    @staticmethod
    def failure(error: Exception) -> bytes:
        """Why a call could not be answered, as JSON."""
        name = type(error).__name__
        message = str(error) if name in _FAILURES else f"a worker could not answer: {name}: {error}"
        return msgspec.json.encode(["failure", name, message])

    def _tree(self, value: Any) -> Any:
        cls: type = type(value)
        if cls in _PLAIN:
            return value
        write = self._writers.get(cls)
        if write is not None:
            return write(value)
        if isinstance(value, CalamityError):
            return self._of_error(value)
        return ["is", path_of(cls), self._serializer.encode_state(value)]

    def _value(self, tree: Any) -> Any:
        return self._readers[tree[0]](*tree[1:]) if type(tree) is list else tree

    def _id(self, id_: Any) -> Any:
        return id_ if type(id_) in _PLAIN else ["id", self._serializer.encode_metadata({"id": id_})]

    def _of_answer(self, answer: tuple[Any, ...]) -> list[Any]:
        return ["answer", type(answer).__name__, *[self._tree(part) for part in answer]]

    def _of_recorded(self, recorded: RecordedEvent) -> list[Any]:
        return [
            "recorded",
            self._tree(recorded.event),
            [recorded.event_type, recorded.event_id, recorded.stream_id],
            [recorded.stream_version, recorded.position],
            [recorded.correlation_id, recorded.causation_id, recorded.recorded_at.isoformat()],
            self._serializer.encode_metadata(recorded.metadata),
        ]

    def _recorded(
        self, event: Any, names: list[Any], numbers: list[Any], causes: list[Any], metadata: str
    ) -> RecordedEvent:
        *ids, at = causes
        when, known = datetime.fromisoformat(at), self._serializer.decode_metadata(metadata)
        parts = [self._value(event), *names, *numbers, *ids, when, known]
        return RecordedEvent(*parts)

    def _of_error(self, error: CalamityError) -> list[Any]:
        if isinstance(error, ModelError):
            return ["broken", error.callback, error.problem]
        if not isinstance(error, Rejected):
            return ["error", str(error)]
        cls: Any = type(error)
        try:
            described = [path_of(cls), self._serializer.encode_metadata(error.details)]
        except (InvalidModel, SerializationError):  # then in words
            details = {name: repr(detail) for name, detail in error.details.items()}
            described = [path_of(Rejected), self._serializer.encode_metadata(details)]
        return ["rejected", str(error.reason), *described, self._tree(error.command)]

    def _rejected(self, reason: str, path: str, details: str, command: Any) -> Rejected:
        cls = class_at(path)
        # Without its own __init__, which may take other arguments.
        rejected: Rejected = cls.__new__(cls, reason)
        Rejected.__init__(rejected, reason, **self._serializer.decode_metadata(details))
        rejected.command = self._value(command)
        return rejected


def _parts(delay: timedelta) -> list[int]:
    return [delay.days, delay.seconds, delay.microseconds]


def _submission(command_id: str, is_retry: Any) -> Submission:
    submission = Submission(command_id)
    submission.is_retry = is_retry
    return submission


@cache
def path_of(cls: Any) -> str:
    """The path from which another process can import the class or function. Raises `InvalidModel`."""
    module, name = cls.__module__, cls.__qualname__
    if module == "__main__" or "<locals>" in name or _attribute(sys.modules.get(module), name) is not cls:
        where = "a notebook cell or a script" if module == "__main__" else f"{name} of {module}"
        raise InvalidModel(
            f"the workers of a cluster cannot import {cls.__name__}: it was defined in {where}. Put the "
            "model into a module, as with %%writefile bank.py, import it from there, and send that module to "
            "the workers: client.upload_file('bank.py')"
        )
    return f"{module}:{name}"


@cache
def class_at(path: str) -> Any:
    """The class at that path. Raises `InvalidModel` where there is none."""
    module, _, name = path.partition(":")
    try:
        found = _attribute(import_module(module), name)
    except ImportError as error:
        raise _import_error(path, str(error)) from error
    if found is None:
        raise _import_error(path, f"the module {module} has no {name}")
    return found


def _attribute(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _import_error(path: str, why: str) -> InvalidModel:
    module = path.partition(":")[0]
    return InvalidModel(
        f"a worker cannot import {path}: {why}. Install its package on every worker, or send the "
        f"module to the workers: client.upload_file('{module.replace('.', '/')}.py')"
    )
