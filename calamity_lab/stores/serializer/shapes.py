"""The codec for every annotation: msgspec's own where that is enough, else one made of its parts'."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NotRequired, Required, get_args, get_origin, is_typeddict

from calamity_lab.stores.serializer.codec import Codec, Codecs, Json, as_it_is, is_named
from calamity_lab.stores.serializer.containers import container
from calamity_lab.stores.serializer.hints import hints_of
from calamity_lab.stores.serializer.names import Names
from calamity_lab.stores.serializer.native import SCALARS, UNIONS, bare, is_native, natively
from calamity_lab.stores.serializer.records import (
    RecordShape,
    abstract,
    is_abstract,
    is_record_class,
    record_shape,
)
from calamity_lab.stores.serializer.scalars import enum, subclass
from calamity_lab.stores.serializer.unions import union
from calamity_lab.stores.serializer.untyped import untyped


class Shapes(Codecs):
    """The codecs of one serializer, made when first asked for."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._untyped = untyped(self)
        self._codecs: dict[Any, Codec] = {Any: self._untyped}
        self._records: dict[type, RecordShape] = {}
        self._hints: dict[type, dict[str, Any]] = {}
        self._unresolved = False

    def of(self, hint: Any) -> Codec:
        hint = bare(hint)
        codec = self._codecs.get(hint)
        if codec is None:
            codec = self._codecs[hint] = self._made(hint)
        return codec

    def record(self, cls: type) -> Codec:
        return Codec(lambda value: self._record(cls).write(value), lambda text: self._record(cls).read(text))

    def name_of(self, cls: type) -> str:
        return self._names.name_of(cls)

    def claim(self, cls: type) -> str:
        self._names.add(cls)
        return self._names.name_of(cls)

    def class_of(self, name: str) -> type | None:
        return self._names.class_of(name)

    def hints_of(self, cls: type) -> dict[str, Any]:
        hints = self._hints.get(cls)
        if hints is None:
            hints, all_found = hints_of(cls, self._names.by_class_name())
            self._unresolved = self._unresolved or not all_found
            self._hints[cls] = hints
        return hints

    def forget(self) -> bool:
        """Whether some annotation named what was not there yet; it will be looked for again."""
        unresolved, self._unresolved = self._unresolved, False
        if unresolved:
            self._codecs, self._records, self._hints = {Any: self._untyped}, {}, {}
        return unresolved

    def _record(self, cls: type) -> RecordShape:
        shape = self._records.get(cls)
        if shape is None:
            shape = self._records[cls] = record_shape(cls, self)
        return shape

    def _made(self, hint: Any) -> Codec:
        if not is_native(hint, self.hints_of):
            return self._composed(hint)
        native = natively(hint)

        def read(text: Json) -> Any:
            # msgspec would pass over a name that was written where the annotation told less, or other things.
            return self._composed(hint).read(text) if is_named(text) else native.read(text)

        return Codec(native.write, read)

    def _composed(self, hint: Any) -> Codec:
        """The codec that is made of the parts' codecs."""
        origin = get_origin(hint) or hint
        if origin in UNIONS:
            return union(hint, self)
        if origin in (Final, Required, NotRequired):
            return self.of(get_args(hint)[0])
        if is_typeddict(origin):
            return self.of(dict[str, Any])
        return container(hint, self) or self._single(hint, origin)

    def _single(self, hint: Any, cls: Any) -> Codec:
        if not isinstance(cls, type):
            return self._untyped
        if hint in SCALARS:
            return Codec(as_it_is, self._untyped.read)
        if issubclass(cls, Enum):
            return enum(cls)
        for base in (str, int, float):
            if issubclass(cls, base):
                return subclass(cls, base)
        if is_abstract(cls):
            return abstract(cls, self)
        return self.record(cls) if is_record_class(cls) else self._untyped
