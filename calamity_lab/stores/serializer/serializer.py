"""Messages and states as JSON, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from calamity_lab.errors import SerializationError
from calamity_lab.kernel.metadata import Metadata
from calamity_lab.stores.serializer.names import Names, Types, listed
from calamity_lab.stores.serializer.unknown import UnknownEvent, stored, unknown

Upcaster = Callable[[dict[str, Any]], "dict[str, Any] | tuple[str, dict[str, Any]]"]

_encode = msgspec.json.Encoder().encode


class Serializer:
    """Messages and states as JSON, and back."""

    def __init__(
        self,
        types: Types = (),
        *,
        names: Mapping[type, str] = {},
        versions: Mapping[type, int] = {},
        upcasters: Mapping[tuple[str, int], Upcaster] = {},
    ) -> None:
        self._names = Names(names, versions)
        self._upcasters = dict(upcasters)
        self.register(*listed(types), *names, *versions)

    def register(self, *classes: type) -> None:
        """Let messages of these classes be read."""
        for cls in classes:
            self._names.add(cls)

    def name_of(self, cls: type) -> str:
        """The name that was chosen for the class, or its own."""
        return self._names.name_of(cls)

    def encode(self, message: Any) -> tuple[str, int, str]:
        """The message's type name, the version of the type, and its fields as JSON."""
        if isinstance(message, UnknownEvent):
            return stored(message)
        cls = type(message)
        self._names.add(cls)
        return self._names.name_of(cls), self._names.version_of(cls), self.encode_state(message)

    def decode(self, name: str, version: int, payload: str | bytes) -> Any:
        """The message that was stored; `UnknownEvent` where no class goes by that name."""
        cls = self._names.class_of(name)
        if cls is None:
            text = payload if isinstance(payload, str) else payload.decode()
            return unknown(name, version, self._read(dict, text), text)
        if version > self._names.version_of(cls):
            raise SerializationError(f"{name} version {version} is from the future")
        return self._read(cls, payload)

    def encode_metadata(self, metadata: Mapping[str, Any]) -> str:
        """Metadata as JSON."""
        return _encode(dict(metadata)).decode()

    def decode_metadata(self, text: str | bytes) -> Metadata:
        """Metadata that was stored."""
        return Metadata(self._read(dict, text))

    def encode_state(self, state: Any) -> str:
        """A state's fields as JSON."""
        try:
            return _encode(state).decode()
        except (TypeError, ValueError) as error:
            raise SerializationError(f"{state!r} cannot be written as JSON: {error}") from error

    def decode_state(self, cls: type, text: str | bytes) -> Any:
        """A state that was stored."""
        return self._read(cls, text)

    def _read(self, cls: type, text: str | bytes) -> Any:
        try:
            return msgspec.json.decode(text, type=cls)
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise SerializationError(f"{text!r} cannot be read as {cls.__name__}: {error}") from error
