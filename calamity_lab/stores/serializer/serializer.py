"""Messages and states as JSON, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from types import NoneType
from typing import Any

from calamity_lab.errors import InvalidValue, SerializationError
from calamity_lab.kernel.recorded import NO_METADATA, Metadata
from calamity_lab.stores.serializer.annotations import Shapes
from calamity_lab.stores.serializer.codec import LONGEST, TYPE, Codec, Json, Misfit, from_json, misfit_of
from calamity_lab.stores.serializer.names import Names, Types, Upcaster, Upcasters, listed, parts
from calamity_lab.stores.serializer.records import is_record_class
from calamity_lab.stores.serializer.round_trip import Plan, plan_of, written
from calamity_lab.stores.serializer.unknown import UnknownEvent, stored, unknown

Reader = Callable[[Json], Any]


class Serializer:
    """Messages and states as JSON that a person can query, and back; the names stay, though classes change.

    ``types`` are a model, a module, a namespace or classes; classes that are written are learnt as well.
    ``names`` chooses the name under which a class is stored, ``versions`` tells in which version its shape
    is, and ``upcasters`` bring what was stored in older versions up to it::

        Serializer(
            bank,
            names={FundsDeposited: "bank.FundsDeposited"},
            upcasters={("bank.FundsDeposited", 1): lambda fields: {**fields, "currency": "EUR"}},
        )

    The version of a class is by default the one that its last upcaster leads to.

    Fields are written and read as they are annotated. Where an annotation does not tell the type of a value
    (there is none, it is ``Any``, or it names what cannot be found from here), what JSON has a word for is
    written as it is, and the rest with the name of its type, as in ``{"_type": "Decimal", "_value": "1.5"}``;
    so are the members of a union that JSON would not tell apart. What was written by a class that could be
    resolved and is read by one that cannot has plain JSON values there. A value that would come back as
    another one is an error when it is written.
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
        self._shapes = Shapes(self._names)
        self._metadata = MetadataTexts(self._shapes.of(Any))
        self._plans: dict[type, tuple[str, int, Plan]] = {}
        self._readers: dict[tuple[str, int], Reader] = {}
        self.register(*listed(types), *names, *versions)
        for cls in versions:
            self._check_version(cls)

    def register(self, *classes: type) -> None:
        """Let messages of these classes be read; one that a cell defined again replaces the earlier one."""
        with self._learning:
            for cls in classes:
                self._names.add(cls)
            self._readers.clear()
            if self._shapes.forget():
                self._plans.clear()

    def name_of(self, cls: type) -> str:
        """The name under which the class is stored: the one chosen for it, or its own."""
        return self._names.name_of(cls)

    def version_of(self, cls: type) -> int:
        """The version in which the class is stored."""
        return self._names.version_of(cls) or self._upcasters.latest(self.name_of(cls))

    def encode(self, message: Any) -> tuple[str, int, str]:
        """The message's type name, the version of the type, and its fields as JSON."""
        cls = type(message)
        try:
            name, version, plan = self._plans[cls]
        except KeyError:
            if isinstance(message, UnknownEvent):
                return stored(message)
            name, version, plan = self._planned(cls)
        try:
            return name, version, plan.write(message)
        except Exception as error:
            raise _unwritten(message, error) from error

    def decode(self, name: str, version: int, payload: Json) -> Any:
        """The message that was stored so; an `UnknownEvent` where no class goes by that name."""
        reader = self._readers.get((name, version))
        if reader is None:
            reader = self._readers[name, version] = self._reader(name, version)
        try:
            return reader(payload)
        except SerializationError:
            raise
        except Exception as error:
            raise self._unread(name, version, payload, error) from error

    def encode_metadata(self, metadata: Mapping[str, Any]) -> str:
        """What is known about an event besides its fields, as JSON."""
        try:
            return self._metadata.write(metadata)
        except Exception as error:
            raise SerializationError(f"metadata cannot be written as JSON: {_placed(error)}") from error

    def decode_metadata(self, text: Json) -> Metadata:
        """The metadata that was written so."""
        try:
            return self._metadata.read(text)
        except Exception as error:
            raise SerializationError(f"{_cut(text)} is no metadata: {_placed(error)}") from error

    def encode_state(self, state: Any) -> str:
        """An aggregate or a process manager instance as JSON, without its type."""
        try:
            return self._planned(type(state))[2].write(state)
        except SerializationError:
            raise
        except Exception as error:
            raise _unwritten(state, error) from error

    def decode_state(self, cls: type, text: Json) -> Any:
        """The state of that class that was written so."""
        plan = self._planned(cls)[2]
        try:
            return plan.read(text)
        except Exception as error:
            raise SerializationError(
                f"{_cut(text)} is no state of {cls.__name__}: {_placed(error)}; build it from its events"
            ) from error

    def _planned(self, cls: type) -> tuple[str, int, Plan]:
        """How the class is stored; it is learnt, if it is new."""
        found = self._plans.get(cls)
        if found is not None:
            return found
        if not is_record_class(cls):
            raise SerializationError(
                f"a {cls.__name__} cannot be stored: messages and states are records with named fields, "
                "as of a dataclass"
            )
        with self._learning:
            if not self._names.knows(cls):
                self.register(cls)
            found = self._plans[cls] = (self.name_of(cls), self.version_of(cls), plan_of(cls, self._shapes))
        return found

    def _reader(self, name: str, version: int) -> Reader:
        """What reads payloads of that name and version."""
        cls = self._names.class_of(name)
        if cls is None and not self._upcasters.start(name, version):
            return lambda payload: _as_unknown(name, version, payload)
        if cls is not None:
            current = self.version_of(cls)
            if version == current:
                return self._planned(cls)[2].read
            if version > current:
                raise SerializationError(
                    f"{name} version {version} is from the future: {cls.__qualname__} of {cls.__module__} is "
                    f"at version {current}; run the code that wrote it, or give versions={{{cls.__name__}: "
                    f"{version}}} if the class has that shape by now"
                )
        return lambda payload: self._upcast(name, version, payload)

    def _upcast(self, name: str, version: int, payload: Json) -> Any:
        """The message, once its fields were brought from version to version up to the class's own."""
        fields, called, reached = _fields(payload), name, version
        while (cls := self._names.class_of(called)) is None or reached < self.version_of(cls):
            if cls is None and not self._upcasters.start(called, reached):
                return _as_unknown(name, version, payload)
            called, fields = self._upcasters.step(called, reached, fields)
            reached += 1
        return self._planned(cls)[2].read(written(fields))

    def _check_version(self, cls: type) -> None:
        latest = self._upcasters.latest(self.name_of(cls))
        if self.version_of(cls) < latest:
            raise InvalidValue(
                f"versions= has {cls.__name__} at {self.version_of(cls)}, but an upcaster leads to {latest}; "
                f"give versions={{{cls.__name__}: {latest}}} or none"
            )

    def _unread(self, name: str, version: int, payload: Json, error: Exception) -> SerializationError:
        cls = self._names.class_of(name)
        there = f" as {cls.__qualname__} of {cls.__module__}" if cls else ""
        return SerializationError(
            f"{name} version {version} cannot be read{there}: {_placed(error)}; found {_cut(payload)}; "
            f"if that is an older shape, give upcasters={{({name!r}, {version}): ...}}"
        )


def _fields(payload: Json) -> dict[str, Any]:
    fields = from_json(payload)
    if not isinstance(fields, dict):
        raise Misfit("the payload of a message is an object of its fields")
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


def _cut(text: Json) -> str:
    shown = text if isinstance(text, str) else bytes(text).decode(errors="replace")
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


_FROZEN = frozenset({str, int, bool, NoneType})
_MANY = 1000


class MetadataTexts:
    """Writes metadata as JSON, and reads it; what is read again and again is shared."""

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
        """The metadata that was written so."""
        known = self._known.get(text)
        if known is not None:
            return known
        found = self._untyped.read(text)
        if not isinstance(found, dict):
            raise Misfit("metadata is an object")
        metadata = Metadata(found) if found else NO_METADATA
        if _FROZEN.issuperset(map(type, found.values())):
            self._remember(text, metadata)
        return metadata

    def _remember(self, text: Json, metadata: Metadata) -> None:
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[text] = metadata
