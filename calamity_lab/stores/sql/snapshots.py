"""`SQLSnapshotStore`: states beside the events, so that a long history need not be applied again."""

from __future__ import annotations

import json
import logging
from hashlib import blake2b
from typing import Any, Self, get_args, get_origin

import msgspec

from calamity_lab.errors import SerializationError
from calamity_lab.kernel.annotations import Unresolved
from calamity_lab.kernel.event_store import NotCopied
from calamity_lab.kernel.in_memory_stores import Snapshot
from calamity_lab.kernel.schema import fields_in, is_message_class
from calamity_lab.stores.serializer.names import Types
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql.opening import open_database

_log = logging.getLogger("calamity_lab")


class SQLSnapshotStore(NotCopied):
    """The latest snapshot of each aggregate and process manager instance, in the database of the events.

    A snapshot is ignored, with a warning in the log, when its class has other fields now, or when it cannot
    be read. The state is then built from the events.
    """

    def __init__(
        self, url: Any, types: Types | Serializer = (), *, read_only: bool = False, timeout: float = 10.0
    ) -> None:
        self.serializer = types if isinstance(types, Serializer) else Serializer(types)
        self._database = open_database(url, timeout=timeout, poll=None, read_only=read_only)

    def get(self, stream_id: str, cls: type) -> Snapshot | None:
        """The snapshot of an aggregate or instance of class ``cls``; None when there is none that fits."""
        rows = self._database.rows(self._database.statements.snapshot, {"stream_id": stream_id}, "read from")
        if not rows:
            return None
        _, version, position, event_id, shape, text = rows[0]
        try:
            if shape != shape_of(cls):
                raise SerializationError(f"it was taken when other fields were in {cls.__name__}")
            state = self.serializer.decode_state(cls, text)
        except SerializationError as error:
            _log.warning(
                "the snapshot of %s is ignored, and its state is built from its events: %s", stream_id, error
            )
            return None
        return Snapshot(stream_id, version, position, event_id, state)

    def put(self, snapshot: Snapshot) -> Self:
        """Keep the snapshot, unless there is a later one of the stream."""
        stream_id, version, position, event_id, state = snapshot
        values = {
            "stream_id": stream_id,
            "version": version,
            "position": position,
            "event_id": event_id,
            "shape": shape_of(type(state)),
            "state": self.serializer.encode_state(state),
        }
        self._database.write(
            self._database.statements.put_snapshot, values, f"put the snapshot of {stream_id} into"
        )
        return self

    def close(self) -> None:
        """Close the connections; closing twice does no harm."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SQLSnapshotStore({self._database.name!r})"


def shape_of(cls: type) -> str:
    """A text that changes when the fields of the class change, or the fields of their classes."""
    try:
        described = json.dumps(msgspec.json.schema(cls), sort_keys=True)
    except (TypeError, ValueError):  # msgspec cannot describe the class
        described = repr(sorted((field.name, _worded(field.annotation, (cls,))) for field in fields_in(cls)))
    return f"{cls.__name__} {blake2b(described.encode(), digest_size=12).hexdigest()}"


def _worded(annotation: Any, above: tuple[type, ...]) -> str:
    """An annotation as a text, with the fields of the message classes in it."""
    if isinstance(annotation, Unresolved):
        return annotation.text
    if isinstance(annotation, type) and is_message_class(annotation) and annotation not in above:
        above = (*above, annotation)
        fields = sorted((field.name, _worded(field.annotation, above)) for field in fields_in(annotation))
        return f"{annotation.__qualname__}{fields}"
    name = getattr(get_origin(annotation) or annotation, "__qualname__", repr(annotation))
    parts = [_worded(part, above) for part in get_args(annotation)]
    return f"{name}[{', '.join(parts)}]" if parts else name
