"""What goes to and fro between a caller and the workers of a cluster: JSON, and nothing else.

A list begins with the word for what it is; where that is empty, it is a sequence. Messages and states are
written by the serializer, and go by the path that their class is imported from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
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
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.recorded import RecordedEvent, make_recorded
from calamity_lab.kernel.stores import Verb
from calamity_lab.stores.actors.answers import Behind, CaughtUp, Decided, Reacted, Read
from calamity_lab.stores.actors.held_stack import Carried, Ticket
from calamity_lab.stores.actors.import_paths import class_at, path_of
from calamity_lab.stores.serializer.serializer import Serializer

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
