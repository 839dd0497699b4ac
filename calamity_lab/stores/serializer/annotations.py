"""The codec for each annotation: msgspec's own where that is enough, else one made of its parts' codecs."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from enum import Enum
from types import NoneType
from typing import Annotated, Any, Optional, get_args, get_origin, is_typeddict

import msgspec

from calamity_lab.kernel.annotations import Unresolved, bare, is_union, union_members
from calamity_lab.kernel.schema import Field, fields_in
from calamity_lab.stores.serializer.codec import (
    MAYBE_NONE,
    SCALARS,
    Codec,
    Codecs,
    Json,
    Misfit,
    as_it_is,
    at,
    from_json,
    is_key,
    is_named,
    is_native,
    is_plain_enum,
    natively,
    step_to,
    to_items,
    to_json,
    to_pairs,
    told,
)
from calamity_lab.stores.serializer.names import Names
from calamity_lab.stores.serializer.records import (
    RecordShape,
    abstract,
    is_abstract,
    is_record_class,
    record_shape,
)
from calamity_lab.stores.serializer.tagged import union, untyped


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
            fields = fields_in(cls, self._names.by_class_name())
            if any(isinstance(field.annotation, Unresolved) for field in fields):
                self._unresolved = True
            hints = self._hints[cls] = {field.name: _annotation(field) for field in fields}
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
        if is_union(hint):
            return union(hint, self)
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


def _annotation(field: Field) -> Any:
    """What a field may hold: also None where that is the default, although the annotation does not say so."""
    annotation = field.annotation
    if isinstance(annotation, Unresolved):
        return Any
    if field.default is not None or {Any, NoneType} & set(union_members(annotation)):
        return annotation
    return Annotated[Optional[annotation], MAYBE_NONE]  # noqa: UP045 - not all that can be annotated has an |


Make = Callable[[Iterable[Any]], Any]

# What an array is read as; abstract ones as what cannot be changed, as the fields of a message should be.
_ARRAYS: dict[Any, Make] = {
    list: list, MutableSequence: list, deque: deque,
    tuple: tuple, Sequence: tuple, Collection: tuple, Iterable: tuple,
}  # fmt: skip
_SETS: dict[Any, Make] = {set: set, MutableSet: set, frozenset: frozenset, AbstractSet: frozenset}
_MAPS = (dict, Mapping, MutableMapping)


def container(hint: Any, codecs: Codecs) -> Codec | None:
    """The codec for that container; None where it is none."""
    origin, args = get_origin(hint) or hint, get_args(hint)
    if (origin is tuple and args and args[-1] is not Ellipsis) or hint == tuple[()]:
        return _places([codecs.of(part) for part in args])
    item = codecs.of(args[0]) if args else codecs.of(Any)
    if origin in _SETS:
        return _set(_SETS[origin], item)
    if origin in _ARRAYS:
        return _array(_ARRAYS[origin], item)
    if origin in _MAPS and args:
        return _object(args[0], codecs.of(args[1])) if is_key(args[0]) else _pairs(item, codecs.of(args[1]))
    return None


def _array(make: Make, item: Codec) -> Codec:
    return Codec(
        lambda value: _each(item.write, _iterable(value)),
        lambda text: make(_each(item.read, to_items(text))),
    )


def _set(make: Make, item: Codec) -> Codec:
    """In the order of what is written, so that the same set is always written alike."""
    return Codec(
        lambda value: [
            msgspec.Raw(text) for text in sorted(map(to_json, _each(item.write, _iterable(value))))
        ],
        lambda text: make(_each(item.read, to_items(text))),
    )


def _places(items: list[Codec]) -> Codec:
    """A tuple with a type for each place."""

    def through(calls: list[Callable[[Any], Any]], values: Any) -> list[Any]:
        if len(values) != len(items):
            raise Misfit(f"there are {len(values)} items where {len(items)} are annotated")
        return [at(f"[{n}]", call, value) for n, (call, value) in enumerate(zip(calls, values, strict=True))]

    return Codec(
        lambda value: through([item.write for item in items], list(_iterable(value))),
        lambda text: tuple(through([item.read for item in items], to_items(text))),
    )


def _object(key: Any, item: Codec) -> Codec:
    """A dict with keys that JSON can have, once they are texts."""
    read_keys = msgspec.json.Decoder(dict[key, msgspec.Raw]).decode
    return Codec(
        lambda value: {name: at(step_to(name), item.write, found) for name, found in _items(value)},
        lambda text: {name: at(step_to(name), item.read, found) for name, found in read_keys(text).items()},
    )


def _pairs(key: Codec, item: Codec) -> Codec:
    """A dict with keys of other kinds, as a list of keys and values."""
    return Codec(
        lambda value: [
            [key.write(name), at(step_to(name), item.write, found)] for name, found in _items(value)
        ],
        lambda text: {
            key.read(name): at(f"[{bytes(name).decode()}]", item.read, found)
            for name, found in to_pairs(text)
        },
    )


def _each(call: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    return [at(f"[{n}]", call, value) for n, value in enumerate(values)]


def _iterable(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return value
    raise Misfit(f"{told(value)} is no array")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    raise Misfit(f"{told(value)} is no dict")


def enum(cls: type[Enum]) -> Codec:
    """Members by their value, where all have texts or all have whole numbers, else by their name."""
    if is_plain_enum(cls):
        return natively(cls)

    def write(value: Any) -> str:
        if type(value) is not cls or value.name not in cls.__members__:
            raise Misfit(f"{told(value)} is no member of {cls.__name__}")
        return str(value.name)

    def read(text: Json) -> Any:
        name = from_json(text)
        if not isinstance(name, str) or name not in cls.__members__:
            raise Misfit(f"{cls.__name__} has no member {told(name)}, but {', '.join(cls.__members__)}")
        return cls[name]

    return Codec(write, read)


def subclass(cls: type, base: type) -> Codec:
    """A text or a number of a class of its own, as what it is made from."""
    plain = natively(base)

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise Misfit(f"{told(value)} is no {cls.__name__}")
        return base(value)

    return Codec(write, lambda text: cls(plain.read(text)))
