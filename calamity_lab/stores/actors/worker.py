"""What a worker of a cluster runs, and the JSON in which it is called and answers.

A list begins with the word for what it is; where that is empty, it is a sequence. Messages and states are
written by the serializer, and go by the path that their class is imported from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
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
from calamity_lab.kernel.recorded import RecordedEvent, make_recorded
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.protocol import Behind, CaughtUp, Decided, Reacted, Read
from calamity_lab.stores.actors.stack_actor import Carried, HeldStack, Ticket
from calamity_lab.stores.serializer.serializer import Serializer


class Host:
    """The actors of one worker, by name. It takes calls and gives answers as JSON.

    To Dask it is one actor: those of a worker share a thread and die together in any case, and each of its
    own costs a start by the scheduler.
    """

    def __init__(self, vocabulary: tuple[str, ...]) -> None:
        self._texts = Texts(vocabulary)
        self._actors: dict[str, Any] = {}

    async def call(self, text: bytes) -> bytes:
        """The answer of an actor to a method and what it is given; one that is not there begins.

        A call is a matter of microseconds, so it is answered where it arrives.
        """
        return self._answer(text)

    def carry_out(self, text: bytes) -> bytes:
        """The same for what takes its time: the worker can do other things meanwhile."""
        return self._answer(text)

    def _answer(self, text: bytes) -> bytes:
        try:
            name, held, method, given, ended = self._texts.read(text)
            for gone in ended:
                self.drop(gone)
            actor = self._actors.get(name)
            if actor is None:
                actor = self._actors[name] = _made(class_at(held)())
            return self._texts.write(getattr(actor, method)(*given))
        except Exception as error:  # noqa: BLE001 - whatever went wrong here, the caller must hear of it
            return self._texts.failure(error)

    def names(self) -> list[str]:
        """The actors that are here."""
        return sorted(self._actors)

    def drop(self, name: str) -> None:
        """Let an actor go. What a stack's own function opened is closed with it."""
        actor = self._actors.pop(name, None)
        if isinstance(actor, HeldStack):
            actor.close()


def _made(held: Any) -> Any:
    """What an actor holds; a stack is held by what carries out its commands."""
    return HeldStack.after_others(held, lambda stack: None) if isinstance(held, Stack) else held


_PLAIN = frozenset({type(None), bool, int, float, str})
_ANSWERS: dict[str, type] = {cls.__name__: cls for cls in (Behind, CaughtUp, Carried, Decided, Reacted, Read)}
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


class Texts:
    """Writes and reads what is sent. ``vocabulary`` has the paths of classes that no annotation names."""

    def __init__(self, vocabulary: Iterable[str] = ()) -> None:
        self._serializer = Serializer([class_at(path) for path in vocabulary])
        self._writers: dict[type, Callable[[Any], Any]] = {
            tuple: lambda items: ["", *[self._tree(item) for item in items]],
            list: lambda items: ["", *[self._tree(item) for item in items]],
            Identity: lambda identity: ["identity", path_of(identity.type), self._id(identity.id)],
            RecordedEvent: self._of_recorded,
            Verb: lambda verb: verb.value,
            Ticket: lambda ticket: ["ticket", ticket.command_id, ticket.again],
            **dict.fromkeys(_ANSWERS.values(), self._of_answer),
        }
        self._readers: dict[str, Callable[..., Any]] = {
            "": lambda *items: tuple([self._value(item) for item in items]),
            "is": lambda path, text: self._serializer.decode_state(class_at(path), text),
            "id": lambda text: self._serializer.decode_metadata(text)["id"],
            "identity": lambda path, id_: identify(class_at(path), self._value(id_)),
            "recorded": self._recorded,
            "ticket": _ticket,
            "answer": lambda name, *parts: _ANSWERS[name](*[self._value(part) for part in parts]),
            "rejected": self._rejected,
            "broken": ModelError,
            "error": StoreError,
        }

    def write(self, value: Any) -> bytes:
        """A call or an answer as JSON."""
        return msgspec.json.encode(self._tree(value))

    def read(self, text: bytes) -> Any:
        """The call or the answer that was written so. Raises what a worker told as its failure."""
        tree = msgspec.json.decode(text)
        if isinstance(tree, list) and tree[0] == "failure":
            raise _FAILURES.get(tree[1], StoreError)(tree[2])
        return self._value(tree)

    @staticmethod
    def failure(error: Exception) -> bytes:
        """Why a call could not be answered, as JSON."""
        name = type(error).__name__
        told = str(error) if name in _FAILURES else f"a worker could not answer: {name}: {error}"
        return msgspec.json.encode(["failure", name, told])

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
        self, event: Any, named: list[Any], placed: list[Any], caused: list[Any], metadata: str
    ) -> RecordedEvent:
        *ids, at = caused
        when, known = datetime.fromisoformat(at), self._serializer.decode_metadata(metadata)
        recorded: RecordedEvent = make_recorded(self._value(event), *named, *placed, *ids, when, known)
        return recorded

    def _of_error(self, error: CalamityError) -> list[Any]:
        if isinstance(error, ModelError):
            return ["broken", error.callback, error.problem]
        if not isinstance(error, Rejected):
            return ["error", str(error)]
        cls: Any = type(error)
        try:
            told = [path_of(cls), self._serializer.encode_metadata(error.details)]
        except (InvalidModel, SerializationError):  # then it is told in words
            details = {name: repr(detail) for name, detail in error.details.items()}
            told = [path_of(Rejected), self._serializer.encode_metadata(details)]
        return ["rejected", str(error.reason), *told, self._tree(error.command)]

    def _rejected(self, reason: str, path: str, details: str, command: Any) -> Rejected:
        cls = class_at(path)
        # Past its own __init__, which may take something else.
        rejected: Rejected = cls.__new__(cls, reason)
        Rejected.__init__(rejected, reason, **self._serializer.decode_metadata(details))
        rejected.command = self._value(command)
        return rejected


def _ticket(command_id: str, again: Any) -> Ticket:
    ticket = Ticket(command_id)
    ticket.again = again
    return ticket


@cache
def path_of(cls: Any) -> str:
    """The path by which another process finds the class or function; `InvalidModel` where it cannot."""
    module, name = cls.__module__, cls.__qualname__
    if module == "__main__" or "<locals>" in name or _named(sys.modules.get(module), name) is not cls:
        where = "a notebook cell or a script" if module == "__main__" else f"{name} of {module}"
        raise InvalidModel(
            f"the workers of a cluster cannot import {cls.__name__}: it was defined in {where}; put the "
            "model into a module, as with %%writefile bank.py, import it from there, and give that module to "
            "the workers: client.upload_file('bank.py')"
        )
    return f"{module}:{name}"


@cache
def class_at(path: str) -> Any:
    """The class that is found there. Raises `InvalidModel` where there is none."""
    module, _, name = path.partition(":")
    try:
        found = _named(import_module(module), name)
    except ImportError as error:
        raise _not_there(path, str(error)) from error
    if found is None:
        raise _not_there(path, f"the module {module} has no {name}")
    return found


def _named(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _not_there(path: str, why: str) -> InvalidModel:
    module = path.partition(":")[0]
    return InvalidModel(
        f"a worker cannot import {path}: {why}; install the package that has it on every worker, or send the "
        f"module there: client.upload_file('{module.replace('.', '/')}.py')"
    )
