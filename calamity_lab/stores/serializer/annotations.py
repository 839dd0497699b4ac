"""The codec for each annotation: msgspec's own where that is enough, else one made of its parts' codecs."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
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
from calamity_lab.kernel.schema import Field, field_names, fields_in, is_plain_enum
from calamity_lab.stores.serializer.codec import (
    MAYBE_NONE,
    SCALARS,
    Codec,
    Codecs,
    Json,
    Misfit,
    at,
    by_msgspec,
    from_json,
    is_for_msgspec,
    is_key,
    is_named,
    short_repr,
    step_to,
    timed,
    to_items,
    to_json,
    to_pairs,
)
from calamity_lab.stores.serializer.names import Names
from calamity_lab.stores.serializer.records import (
    RecordCodec,
    abstract,
    is_abstract,
    is_record_class,
    record_codec,
)
from calamity_lab.stores.serializer.unions import union, untyped


class CodecTable(Codecs):
    """The codecs of one serializer, each made when it is first needed."""

    def __init__(self, names: Names, *, lenient: bool = False, with_zones: bool = False) -> None:
        self._names = names
        self.lenient = lenient
        self._with_zones = with_zones
        self._zoned: CodecTable | None = None
        self._untyped = untyped(self)
        self._codecs: dict[Any, Codec] = {Any: self._untyped}
        self._records: dict[type, RecordCodec] = {}
        self._annotations: dict[type, dict[str, Any]] = {}
        self._unresolved = False

    @property
    def zoned(self) -> CodecTable:
        """The codecs that write times with their zones. They ask msgspec for nothing that may hold a time."""
        if self._zoned is None:
            self._zoned = CodecTable(self._names, with_zones=True)
        return self._zoned

    def of(self, annotation: Any) -> Codec:
        annotation = bare(annotation)
        codec = self._codecs.get(annotation)
        if codec is None:
            codec = self._codecs[annotation] = self._made(annotation)
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

    def annotations_of(self, cls: type) -> dict[str, Any]:
        annotations = self._annotations.get(cls)
        if annotations is None:
            fields = fields_in(cls, self._names.by_class_name())
            if any(isinstance(field.annotation, Unresolved) for field in fields):
                self._unresolved = True
            self._names.add_parts(part for field in fields for part in _parts_of(field.annotation))
            annotations = self._annotations[cls] = {field.name: _allowed(field) for field in fields}
        return annotations

    def forget(self) -> bool:
        """Forget all codecs if an annotation could not be resolved yet; return whether that was so."""
        unresolved, self._unresolved = self._unresolved, False
        if unresolved:
            self._zoned = None
            self._codecs, self._records, self._annotations = {Any: self._untyped}, {}, {}
        return unresolved

    def _record(self, cls: type) -> RecordCodec:
        codec = self._records.get(cls)
        if codec is None:
            codec = self._records[cls] = record_codec(cls, self)
        return codec

    def _made(self, annotation: Any) -> Codec:
        if self._with_zones or not is_for_msgspec(annotation, self.annotations_of):
            return self._composed(annotation)
        native = by_msgspec(annotation)

        def read(text: Json) -> Any:
            # msgspec would ignore a type name, which an older annotation of the field may have needed.
            return self._composed(annotation).read(text) if is_named(text) else native.read(text)

        return Codec(native.write, read)

    def _composed(self, annotation: Any) -> Codec:
        """The codec made of the codecs of the annotation's parts."""
        origin = get_origin(annotation) or annotation
        if is_union(annotation):
            return union(annotation, self)
        if is_typeddict(origin):
            return self.of(dict[str, Any])
        return container(annotation, self) or self._single(annotation, origin)

    def _single(self, annotation: Any, cls: Any) -> Codec:
        if not isinstance(cls, type):
            return self._untyped
        if annotation in SCALARS:
            native = by_msgspec(annotation)
            return Codec(
                timed if self._with_zones else native.write,
                lambda text: (self._untyped if is_named(text) else native).read(text),
            )
        if issubclass(cls, Enum):
            return enum(cls)
        for base in (str, int, float):
            if issubclass(cls, base):
                return subclass(cls, base)
        if is_abstract(cls):
            return abstract(cls, self)
        return self.record(cls) if is_record_class(cls) else self._untyped


def _parts_of(annotation: Any) -> Iterator[type]:
    """The records and enums that an annotation names, as Points in ``Box[Points]``."""
    annotation = bare(annotation)
    if isinstance(annotation, type) and (field_names(annotation) is not None or issubclass(annotation, Enum)):
        yield annotation
    for part in get_args(annotation):
        yield from _parts_of(part)


def _allowed(field: Field) -> Any:
    """The annotation of a field, with None where that is the default and the annotation does not say so."""
    annotation = field.annotation
    if isinstance(annotation, Unresolved):
        return Any
    if field.default is not None or {Any, NoneType} & set(union_members(annotation)):
        return annotation
    return Annotated[Optional[annotation], MAYBE_NONE]  # noqa: UP045 - not all that can be annotated has an |


Make = Callable[[Iterable[Any]], Any]

# The container that an array is read as. For an abstract type, one that cannot be changed, as in any message.
_ARRAYS: dict[Any, Make] = {
    list: list, MutableSequence: list, deque: deque,
    tuple: tuple, Sequence: tuple, Collection: tuple, Iterable: tuple,
}  # fmt: skip
_SETS: dict[Any, Make] = {set: set, MutableSet: set, frozenset: frozenset, AbstractSet: frozenset}
_MAPS = (dict, Mapping, MutableMapping)


def container(annotation: Any, codecs: Codecs) -> Codec | None:
    """The codec for a container; None where the annotation is no container."""
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if (origin is tuple and args and args[-1] is not Ellipsis) or annotation == tuple[()]:
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
    """A set, written in the order of its texts, so that equal sets are written alike."""
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
            raise Misfit(f"the annotation has {len(items)} items, and the value has {len(values)}")
        return [at(f"[{n}]", call, value) for n, (call, value) in enumerate(zip(calls, values, strict=True))]

    return Codec(
        lambda value: through([item.write for item in items], list(_iterable(value))),
        lambda text: tuple(through([item.read for item in items], to_items(text))),
    )


def _object(key: Any, item: Codec) -> Codec:
    """A dict whose keys JSON can hold as texts."""
    read_keys = msgspec.json.Decoder(dict[key, msgspec.Raw]).decode
    return Codec(
        lambda value: {name: at(step_to(name), item.write, found) for name, found in _items(value)},
        lambda text: {name: at(step_to(name), item.read, found) for name, found in read_keys(text).items()},
    )


def _pairs(key: Codec, item: Codec) -> Codec:
    """A dict with other keys, as a list of pairs."""
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
    raise Misfit(f"{short_repr(value)} is not an array")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    raise Misfit(f"{short_repr(value)} is not a dict")


def enum(cls: type[Enum]) -> Codec:
    """Members by value, if all values are texts or all are whole numbers; else by name."""
    if is_plain_enum(cls):
        return by_msgspec(cls)

    def write(value: Any) -> str:
        if type(value) is not cls or value.name not in cls.__members__:
            raise Misfit(f"{short_repr(value)} is not a member of {cls.__name__}")
        return str(value.name)

    def read(text: Json) -> Any:
        name = from_json(text)
        if not isinstance(name, str) or name not in cls.__members__:
            raise Misfit(f"{cls.__name__} has no member {short_repr(name)}, but {', '.join(cls.__members__)}")
        return cls[name]

    return Codec(write, read)


def subclass(cls: type, base: type) -> Codec:
    """A text or a number of a subclass, as a plain text or number."""
    plain = by_msgspec(base)

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise Misfit(f"{short_repr(value)} is not a {cls.__name__}")
        return base(value)

    return Codec(write, lambda text: cls(plain.read(text)))
