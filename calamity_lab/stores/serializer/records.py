"""Records as JSON objects of their fields, and back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from calamity_lab.kernel.schema import Field, arguments_of, field_names, fields_in, kind_of
from calamity_lab.stores.serializer.codec import (
    TYPE,
    Codec,
    Codecs,
    Json,
    Misfit,
    at,
    from_json,
    misfit_of,
    short_repr,
    to_fields,
    without_type,
)

# How a class makes its values, and how it takes them apart for a copy.
_WAYS = ("__new__", "__reduce__", "__setstate__")

Make = Callable[[dict[str, Any]], Any]


def is_record_class(cls: type) -> bool:
    """Whether values of the class have named fields that can be written, and set again.

    Dataclasses, attrs and msgspec classes, named tuples, and plain classes that are made as Python makes
    them: what has a way of its own into being may keep what is not among its fields.
    """
    if field_names(cls) is not None:
        return True
    own_ways = [getattr(cls, name, None) is not getattr(object, name, None) for name in _WAYS]
    return cls is not object and not any(own_ways) and _is_open(cls) and not issubclass(cls, Enum)


def _is_open(cls: type) -> bool:
    """Whether another class may inherit from it, as from every class written in Python."""
    return bool(cls.__flags__ & 1 << 10)


@dataclass(frozen=True, slots=True)
class RecordCodec:
    """How one class is written: the name of each field in Python and in JSON, and its codec.

    An ``open`` class declares no fields, so that each of its values has those that it has.
    """

    cls: type
    parts: Codecs
    codecs: Mapping[str, Codec]
    stored: Mapping[str, str]
    open: bool
    make: Make

    def write(self, value: Any) -> Any:
        """The fields of a value as something that msgspec writes; a subclass has its name beside them."""
        if type(value) is not self.cls:
            if not isinstance(value, self.cls):
                name = self.cls.__name__
                raise Misfit(
                    f"{short_repr(value)} is not a {name}. "
                    f"Annotate the field as {name} | {type(value).__name__}"
                )
            return self.parts.of(Any).write(value)
        codecs = self.codecs
        if self.open:
            codecs = {**dict.fromkeys(getattr(value, "__dict__", ()), self.parts.of(Any)), **codecs}
        return {
            self.stored.get(name, name): at(f".{name}", codec.write, getattr(value, name))
            for name, codec in codecs.items()
            if hasattr(value, name)
        }

    def read(self, text: Json) -> Any:
        """The value with these fields; fields that its class does not have are left out."""
        found = to_fields(text)
        if TYPE in found and TYPE not in self.stored.values():
            return _named(self.cls, from_json(found[TYPE]), text, self.parts)
        values = {
            name: at(f".{name}", codec.read, found.pop(self.stored[name]))
            for name, codec in self.codecs.items()
            if self.stored[name] in found
        }
        if self.open:
            rest = self.parts.of(Any)
            values |= {name: at(f".{name}", rest.read, item) for name, item in found.items()}
        try:
            return self.make(values)
        except Exception as error:
            raise Misfit(
                f"{self.cls.__name__} cannot be made from {', '.join(values) or 'no fields'}: "
                f"{misfit_of(error).problem}"
            ) from error


def abstract(cls: type, parts: Codecs) -> Codec:
    """The codec for an abstract class or a protocol: its values are of other classes."""
    rest = parts.of(Any)

    def read(text: Json) -> Any:
        plain = from_json(text)
        return _named(cls, plain[TYPE], text, parts) if _has_name(plain) else rest.read(text)

    return Codec(rest.write, read)


def is_abstract(cls: type) -> bool:
    """Whether a class has no values of its own: an abstract class or a protocol."""
    return inspect.isabstract(cls) or getattr(cls, "_is_protocol", False)


def _has_name(plain: Any) -> bool:
    return isinstance(plain, dict) and TYPE in plain


def _named(cls: type, name: Any, text: Json, parts: Codecs) -> Any:
    """The value that was written with the name of its class, which is that one or a subclass."""
    for subclass in _family(cls):
        if is_record_class(subclass) and parts.name_of(subclass) == name:
            return parts.record(subclass).read(without_type(from_json(text)))
    return parts.of(Any).read(text)


def record_codec(cls: type, parts: Codecs) -> RecordCodec:
    """The codec for records of that class."""
    fields = fields_in(cls)
    return RecordCodec(
        cls,
        parts,
        {name: parts.of(annotation) for name, annotation in parts.annotations_of(cls).items()},
        {field.name: field.stored for field in fields},
        field_names(cls) is None,
        _maker(cls, fields),
    )


def _family(cls: type) -> Iterator[type]:
    yield cls
    subclasses: list[type] = cls.__subclasses__()
    for subclass in subclasses:
        yield from _family(subclass)


def _maker(cls: type, fields: Sequence[Field]) -> Make:
    """What makes a value from its fields: the constructor if it takes them, else each field is set."""
    if kind_of(cls) in ("plain", None):
        return lambda values: _set(object.__new__(cls), values)
    arguments = {field.name: field.argument for field in fields if field.argument}
    known = {argument.argument for argument in arguments_of(cls)}
    if known.issuperset(arguments.values()):
        return lambda values: _constructed(cls, arguments, values)
    return lambda values: _set(object.__new__(cls), {**_defaults(fields, values), **values})


def _constructed(cls: type, arguments: Mapping[str, str], values: dict[str, Any]) -> Any:
    given = {argument: values[name] for name, argument in arguments.items() if name in values}
    return _set(cls(**given), {name: value for name, value in values.items() if name not in arguments})


def _defaults(fields: Sequence[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of the absent fields, for a class with an ``__init__`` of its own."""
    absent = [field for field in fields if field.name not in values]
    for field in absent:
        if field.required:
            raise Misfit(f"the field {field.name!r} is missing")
    return {field.name: field.made_default() for field in absent}


def _set(made: Any, values: Mapping[str, Any]) -> Any:
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made
