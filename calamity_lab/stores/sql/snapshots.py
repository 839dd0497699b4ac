"""`SQLSnapshotStore`: states beside the events, so that a long history need not be applied again."""

from __future__ import annotations

import json
import logging
from datetime import date, time, timedelta
from decimal import Decimal
from dis import get_instructions
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from types import CodeType
from typing import Any, Self, get_args, get_origin

import msgspec

from calamity_lab.errors import InvalidModel, SerializationError
from calamity_lab.kernel.annotations import Unresolved
from calamity_lab.kernel.arguments import a_text, an_instance
from calamity_lab.kernel.event_store import Closable, NotCopied
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.in_memory_stores import Snapshot, check_snapshot
from calamity_lab.kernel.schema import field_names, fields_in, is_message_class
from calamity_lab.model import functions_reached
from calamity_lab.stores.serializer.names import Types
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql.opening import open_database

_log = logging.getLogger("calamity_lab")


class SQLSnapshotStore(NotCopied, Closable):
    """The latest snapshot of each aggregate and process manager instance, in the database of the events.

    A snapshot is ignored, with a warning in the log, when its class has other fields now, when ``new``,
    ``apply``, ``interested`` or a function that they call has other code, or when it cannot be read. The
    state is then built from the events. What calamity_lab cannot see is for the class to tell: write a higher
    ``snapshot_version = 2`` in its body when, for example, a library that ``apply`` uses gives other results.
    Then all earlier snapshots are ignored.
    """

    def __init__(
        self, url: Any, types: Types | Serializer = (), *, read_only: bool = False, timeout: float = 10.0
    ) -> None:
        self.serializer = Serializer.of(types)
        self._database = open_database(url, timeout=timeout, poll=None, read_only=read_only)

    def get(self, stream_id: str, cls: type) -> Snapshot | None:
        """The snapshot of an aggregate or instance of class ``cls``; None when there is none that fits."""
        stream_id = a_text("get(stream_id)", stream_id, "'BankAccount-1'")
        an_instance("get(cls)", cls, type, "get('BankAccount-1', BankAccount)")
        rows = self._database.rows(self._database.statements.snapshot, {"stream_id": stream_id})
        if not rows:
            return None
        _, version, position, event_id, shape, text = rows[0]
        try:
            difference = _difference(shape, shape_of(cls))
            if difference:
                raise SerializationError(f"it was taken {difference.format(cls.__name__)}")
            state = self.serializer.decode_state(cls, text)
        except SerializationError as error:
            _log.warning(
                "the snapshot of %s is ignored, and its state is built from its events: %s", stream_id, error
            )
            return None
        return Snapshot(stream_id, version, position, event_id, state)

    def put(self, snapshot: Snapshot) -> Self:
        """Keep the snapshot, unless there is a later one of the stream."""
        stream_id, version, position, event_id, state = check_snapshot(snapshot)
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

    def __repr__(self) -> str:
        return f"SQLSnapshotStore({self._database.name!r})"


def shape_of(cls: type) -> str:
    """A text that changes with the version and the fields of a class, and with the code of its states."""
    return f"{stored_name(cls)} v{_version_of(cls)} {_fields_of(cls)} {_digest(_code_of(cls))}"


@lru_cache(maxsize=256)
def _fields_of(cls: type) -> str:
    try:
        described = json.dumps(_undocumented(msgspec.json.schema(cls)), sort_keys=True)
    except (TypeError, ValueError):  # msgspec cannot describe the class
        described = repr(sorted((field.name, _worded(field.annotation, (cls,))) for field in fields_in(cls)))
    return _digest(described)


def _difference(taken: str, now: str) -> str:
    """When a snapshot of that shape was taken, in words; nothing where the shape is that of today."""
    then, today = taken.rsplit(" ", 3), now.rsplit(" ", 3)
    if len(then) != len(today):
        return "by an earlier calamity_lab, which did not note the code of {}"
    words = (
        "of another class than {}",
        "of another snapshot_version of {}",
        "when other fields were in {}",
        "when new, apply or interested of {} had other code",
    )
    return next((word for word, mine, its in zip(words, then, today, strict=True) if mine != its), "")


def _version_of(cls: type) -> int:
    """The version that the class names for its snapshots; 1 where it names none."""
    if "snapshot_version" in (field_names(cls) or ()):
        return 1
    version = getattr(cls, "snapshot_version", 1)
    if type(version) is not int:
        raise InvalidModel(f"{cls.__name__}.snapshot_version is {version!r}. Give a whole number, as in 2")
    return version


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=12).hexdigest()


def _undocumented(schema: Any) -> Any:
    """The schema without the docstrings of the classes; a field may be called description."""
    if isinstance(schema, list):
        return [_undocumented(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _undocumented(part)
        for name, part in schema.items()
        if name != "description" or not isinstance(part, str)
    }


def _code_of(cls: type) -> str:
    """The code that makes the states of a class, with the constants that it names; without its comments."""
    parts = []
    for function, meant in functions_reached(cls, "new", "apply", "interested", "__post_init__"):
        named = [f"{name}={_constant(value)}" for name, value in meant.items()]
        defaults = _constant((function.__defaults__, tuple((function.__kwdefaults__ or {}).items())))
        parts.append(f"{_instructions(function.__code__)} {named} {defaults}")
    return "\n".join(parts)


@lru_cache(maxsize=1024)
def _instructions(code: CodeType) -> str:
    return repr([(step.opname, _constant(step.argval)) for step in get_instructions(code)])


def _constant(value: Any) -> str:
    """A value as a text that is the same in each process; of what can change, the name of its type."""
    if isinstance(value, CodeType):
        return _instructions(value)
    if isinstance(value, frozenset):
        return repr(sorted(map(_constant, value)))
    if isinstance(value, tuple):
        return repr([_constant(part) for part in value])
    if value is None or isinstance(value, (str, int, float, bytes, Decimal, Enum, date, time, timedelta)):
        return repr(value)
    return type(value).__name__


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
