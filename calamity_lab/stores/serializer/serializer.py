"""Messages and states as JSON, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from types import NoneType
from typing import Any

import msgspec

from calamity_lab.errors import InvalidValue, SerializationError, repr_of
from calamity_lab.kernel.arguments import a_text, a_whole_number, an_instance, is_a
from calamity_lab.kernel.recorded import NO_METADATA, Metadata
from calamity_lab.stores.serializer.annotations import CodecTable
from calamity_lab.stores.serializer.codec import LONGEST, TYPE, Codec, Json, Misfit, from_json, misfit_of
from calamity_lab.stores.serializer.names import (
    Names,
    Types,
    UnknownEvent,
    UnreadableEvent,
    Upcaster,
    Upcasters,
    listed,
    parts,
    stored,
    unknown,
)
from calamity_lab.stores.serializer.records import is_record_class
from calamity_lab.stores.serializer.round_trip import MessageCodec, message_codec, written

Reader = Callable[[Json], Any]


class Serializer:
    """Messages and states as JSON that a person can query, and back; stored names stay when classes change.

    ``types`` are a model, a module, a namespace or classes; a class that is written is added by itself.
    ``names`` gives classes their stored names, as ``stored_name = "Account"`` in the body of a class does:
    give a renamed class its earlier name, and nothing of the history is lost. It holds for events, commands,
    aggregates and process managers, and for all of the program. ``versions`` gives the version of the fields
    of a class, and ``upcasters`` bring the fields of older versions up to date::

        Serializer(
            bank,
            names={FundsDeposited: "bank.FundsDeposited"},
            upcasters={("bank.FundsDeposited", 1): lambda fields: {**fields, "currency": "EUR"}},
        )

    By default the version of a class is the one to which its last upcaster leads.

    Fields are written and read by their annotations. Where an annotation does not tell the type of a value
    (there is none, it is ``Any``, or it names a class that cannot be found), values that JSON itself has are
    written as they are, and others with the name of their type: ``{"_type": "Decimal", "_value": "1.5"}``.
    The members of a union that JSON does not tell apart are written so too, and times with a zone from the
    time zone database. If an annotation could be
    resolved when a value was written and cannot be when it is read, the value is what JSON has. A value that
    would be read back as another one raises an error when it is written.
    """

    def __init__(
        self,
        types: Types = (),
        *,
        names: Mapping[type, str] = {},
        versions: Mapping[type, int] = {},
        upcasters: Mapping[tuple[str, int], Upcaster] = {},
    ) -> None:
        self._learning = RLock()  # subscribers and actors read in threads of their own
        self._upcasters = Upcasters(upcasters)
        self._names = Names(names, versions, parts(types))
        self._table = CodecTable(self._names)
        self._metadata = MetadataTexts(CodecTable(self._names, lenient=True).of(Any))
        self._codecs: dict[type, tuple[str, int, MessageCodec]] = {}
        self._readers: dict[tuple[str, int], Reader] = {}
        self.register(*listed(types), *names, *versions)
        for cls in versions:
            self._check_version(cls)

    @classmethod
    def of(cls, types: Types | Serializer) -> Serializer:
        """The serializer that was given, or one of the types that were given."""
        given: Any = types
        return given if is_a(given, Serializer) else cls(given)

    def register(self, *classes: type) -> None:
        """Add classes whose messages can be read; one that a cell defined again replaces the earlier one."""
        for cls in classes:
            an_instance("register(class)", cls, type, "register(FundsDeposited)")
        with self._learning:
            for cls in classes:
                self._names.add(cls)
            self._readers.clear()
            if self._table.forget():
                self._codecs.clear()

    def register_streams(self, *classes: type) -> None:
        """Note aggregates or process managers of a stack on the store; no two may have one stored name."""
        for cls in classes:
            an_instance("register_streams(class)", cls, type, "register_streams(BankAccount)")
        with self._learning:
            for cls in classes:
                self._names.add_stream(cls)

    def class_of(self, name: str) -> type | None:
        """The class with that stored name; None where no known class has it."""
        return self._names.class_of(a_text("class_of(name)", name, "'FundsDeposited'"))

    def name_of(self, cls: type) -> str:
        """The stored name of the class: the one that was given, or the class's own."""
        return self._names.name_of(an_instance("name_of(cls)", cls, type, "name_of(FundsDeposited)"))

    def version_of(self, cls: type) -> int:
        """The stored version of the class."""
        an_instance("version_of(cls)", cls, type, "version_of(FundsDeposited)")
        return self._names.version_of(cls) or self._upcasters.latest(self.name_of(cls))

    def encode(self, message: Any) -> tuple[str, int, str]:
        """The message's type name, the version of the type, and its fields as JSON."""
        cls = type(message)
        try:
            name, version, plan = self._codecs[cls]
        except KeyError:
            if issubclass(cls, UnknownEvent):
                return stored(message)
            name, version, plan = self._codec_of(cls)
        try:
            return name, version, plan.write(message)
        except Exception as error:
            raise _unwritten(message, error) from error

    def decode(self, name: str, version: int, payload: Json) -> Any:
        """The message from its stored form; an `UnknownEvent` where no class has that stored name."""
        try:
            reader = self._readers.get((name, version))
        except Exception:  # noqa: BLE001 - what cannot be hashed is no text and no number, as is shown below
            reader = None
        if reader is None:
            name = a_text("decode(name)", name, "'FundsDeposited'")
            version = a_whole_number("decode(version)", version, low=1, high=2**31)
            reader = self._readers[name, version] = self._reader(name, version)
        try:
            return reader(payload)
        except SerializationError:
            raise
        except Exception as error:
            raise self._unread(name, version, payload, error) from error

    def encode_metadata(self, metadata: Mapping[str, Any]) -> str:
        """The metadata of an event as JSON."""
        try:
            return self._metadata.write(metadata)
        except Exception as error:
            raise SerializationError(f"metadata cannot be written as JSON: {_placed(error)}") from error

    def decode_metadata(self, text: Json) -> Metadata:
        """The metadata from its JSON."""
        try:
            return self._metadata.read(text)
        except Exception as error:
            raise SerializationError(f"{_cut(text)} is not metadata: {_placed(error)}") from error

    def encode_state(self, state: Any) -> str:
        """An aggregate or a process manager instance as JSON, without its type."""
        try:
            return self._codec_of(type(state))[2].write(state)
        except SerializationError:
            raise
        except Exception as error:
            raise _unwritten(state, error) from error

    def decode_state(self, cls: type, text: Json) -> Any:
        """The state of that class from its JSON."""
        an_instance("decode_state(cls)", cls, type, "decode_state(BankAccount, text)")
        try:
            return self._codec_of(cls)[2].read(text)
        except SerializationError:
            raise
        except Exception as error:
            raise SerializationError(
                f"{_cut(text)} is not a state of {cls.__name__}: {_placed(error)}. Rebuild it from its events"
            ) from error

    def _codec_of(self, cls: type) -> tuple[str, int, MessageCodec]:
        """The stored name, the version and the codec of a class; a new class is added."""
        found = self._codecs.get(cls)
        if found is not None:
            return found
        if cls is UnreadableEvent:
            raise SerializationError(
                "an UnreadableEvent stands for a row that cannot be read, and cannot be stored itself. "
                "Leave it out, or correct its row"
            )
        if not is_record_class(cls):
            raise SerializationError(
                f"{cls.__name__} cannot be stored. Messages and states are records with named fields: "
                "make it a dataclass, for example"
            )
        with self._learning:
            if not self._names.knows(cls):
                self.register(cls)
            found = self._codecs[cls] = (
                self.name_of(cls),
                self.version_of(cls),
                message_codec(cls, self._table),
            )
        return found

    def _reader(self, name: str, version: int) -> Reader:
        """The function that reads payloads of that name and version."""
        cls = self._names.class_of(name)
        if cls is None and not self._upcasters.start(name, version):
            return lambda payload: _as_unknown(name, version, payload)
        if cls is not None:
            current = self.version_of(cls)
            if version == current:
                return self._codec_of(cls)[2].read
            if version > current:
                raise SerializationError(
                    f"{name} version {version} is from the future: {cls.__qualname__} of {cls.__module__} is "
                    f"at version {current}. Run the code that wrote it, or give versions={{{cls.__name__}: "
                    f"{version}}} if the class has the fields of that version"
                )
        return lambda payload: self._upcast(name, version, payload)

    def _upcast(self, name: str, version: int, payload: Json) -> Any:
        """The message, after upcasters brought its fields to the version of the class."""
        fields, called, reached, left = _fields(payload), name, version, {name}
        while reached < self._latest(called):
            before = called
            called, fields = self._upcasters.step(called, reached, fields)
            reached = reached + 1 if called == before else 1
            if called != before and called in left:
                raise SerializationError(f"the upcasters of {name} give the name {called} a second time")
            left.add(called)
        cls = self._names.class_of(called)
        if cls is None:
            return _as_unknown(name, version, payload)
        return self._codec_of(cls)[2].read(written(fields))

    def _latest(self, name: str) -> int:
        """The version to which messages of that name are brought."""
        cls = self._names.class_of(name)
        return self._upcasters.latest(name) if cls is None else self.version_of(cls)

    def _check_version(self, cls: type) -> None:
        latest = self._upcasters.latest(self.name_of(cls))
        if self.version_of(cls) < latest:
            raise InvalidValue(
                f"versions= has {cls.__name__} at {self.version_of(cls)}, but an upcaster leads to {latest}. "
                f"Give versions={{{cls.__name__}: {latest}}} or none"
            )

    def _unread(self, name: str, version: int, payload: Json, error: Exception) -> SerializationError:
        cls, name = self._names.class_of(name), _cut(name)
        there = f" as {cls.__qualname__} of {cls.__module__}" if cls else ""
        return SerializationError(
            f"{name} version {version} cannot be read{there}: {_placed(error)}. Found {_cut(payload)}. "
            f"If these are the fields of an older version, give upcasters={{({name!r}, {version}): ...}}"
        )


def _fields(payload: Json) -> dict[str, Any]:
    fields = from_json(payload)
    if not isinstance(fields, dict):
        raise Misfit("the payload of a message must be an object of its fields")
    return fields


def _as_unknown(name: str, version: int, payload: Json) -> UnknownEvent:
    text = payload if isinstance(payload, str) else bytes(payload).decode()
    return unknown(name, version, _fields(text), text)


def _unwritten(value: Any, error: Exception) -> SerializationError:
    cls = type(value)
    return SerializationError(
        f"{cls.__qualname__} of {cls.__module__} cannot be written as JSON: {_placed(error)}"
    )


def _placed(error: Exception) -> str:
    misfit = misfit_of(error)
    path = misfit.path.removeprefix(".")
    return f"{path}: {misfit.problem}" if path else misfit.problem


def _cut(text: Any) -> str:
    if not is_a(text, str, bytes, bytearray, msgspec.Raw):
        return repr_of(text, LONGEST)
    shown = str.__str__(text) if is_a(text, str) else bytes(text).decode(errors="replace")
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


_FROZEN = frozenset({str, int, bool, NoneType})
_MANY = 1000


class MetadataTexts:
    """Writes and reads metadata; equal texts are read once, since most events have much the same metadata."""

    def __init__(self, untyped: Codec) -> None:
        self._untyped = untyped
        self._known: dict[Json, Metadata] = {}

    def write(self, metadata: Mapping[str, Any]) -> str:
        """The metadata as a JSON object."""
        plain = dict(metadata)
        if TYPE in plain or not _FROZEN.issuperset(map(type, plain.values())):
            return written(self._untyped.write(plain))
        return written(plain)

    def read(self, text: Json) -> Metadata:
        """The metadata from its JSON."""
        known = self._known.get(text)
        if known is not None:
            return known
        found = self._untyped.read(text)
        if not isinstance(found, dict):
            raise Misfit("metadata must be an object")
        metadata = Metadata(found) if found else NO_METADATA
        if _FROZEN.issuperset(map(type, found.values())):
            self._remember(text, metadata)
        return metadata

    def _remember(self, text: Json, metadata: Metadata) -> None:
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[text] = metadata
