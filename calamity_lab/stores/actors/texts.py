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
    Rejected,
    SerializationError,
    StoreError,
)
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.recorded import RecordedEvent, make_recorded
from calamity_lab.kernel.stores import Verb
from calamity_lab.stores.actors.answers import Behind, CaughtUp, Decided, Reacted, Read
from calamity_lab.stores.actors.import_paths import class_at, path_of
from calamity_lab.stores.serializer.serializer import Serializer

_PLAIN = frozenset({type(None), bool, int, float, str})
_ANSWERS: dict[str, type] = {cls.__name__: cls for cls in (Behind, CaughtUp, Decided, Reacted, Read)}
_FAILURES: dict[str, type[CalamityError]] = {
    cls.__name__: cls for cls in (InvalidModel, SerializationError, StoreError)
}


class Texts:
    """Writes and reads what is sent. ``vocabulary`` has the paths of classes that no annotation names."""

    def __init__(self, vocabulary: Iterable[str] = ()) -> None:
        self._serializer = Serializer([class_at(path) for path in vocabulary])
        self._readers: dict[str, Callable[..., Any]] = {
            "": lambda *items: tuple([self._value(item) for item in items]),
            "is": lambda path, text: self._serializer.decode_state(class_at(path), text),
            "class": class_at,
            "id": lambda text: self._serializer.decode_metadata(text)["id"],
            "identity": lambda path, id_: identify(class_at(path), self._value(id_)),
            "recorded": self._recorded,
            "answer": lambda name, *parts: _ANSWERS[name](*[self._value(part) for part in parts]),
            "error": lambda callback, problem: (
                ModelError(callback, problem) if callback else Rejected(problem)
            ),
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
        if cls is tuple or cls is list:
            return ["", *[self._tree(item) for item in value]]
        if cls is Identity:
            return ["identity", path_of(value.type), self._id(value.id)]
        if cls is RecordedEvent:
            return self._of_recorded(value)
        if _ANSWERS.get(cls.__name__) is cls:
            return ["answer", cls.__name__, *[self._tree(part) for part in value]]
        if cls is Verb:
            return value.value
        if isinstance(value, ModelError):
            return ["error", value.callback, value.problem]
        if isinstance(value, CalamityError):
            return ["error", "", str(value)]
        return ["is", path_of(cls), self._serializer.encode_state(value)]

    def _value(self, tree: Any) -> Any:
        return self._readers[tree[0]](*tree[1:]) if type(tree) is list else tree

    def _id(self, id_: Any) -> Any:
        return id_ if type(id_) in _PLAIN else ["id", self._serializer.encode_metadata({"id": id_})]

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
