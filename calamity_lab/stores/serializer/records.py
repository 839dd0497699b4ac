"""Records: written as an object of their fields, read field by field and made anew."""

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
    to_fields,
    told,
    without_type,
)

# How Python makes a value, and how a value says that it is to be taken apart.
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
    """Whether another class may inherit from it: so from all that are written in Python."""
    return bool(cls.__flags__ & 1 << 10)


@dataclass(frozen=True, slots=True)
class RecordShape:
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
        """The fields, as something that msgspec writes; with its name, if it is of a subclass."""
        if type(value) is not self.cls:
            if not isinstance(value, self.cls):
                name = self.cls.__name__
                raise Misfit(f"{told(value)} is no {name}; annotate it as {name} | {type(value).__name__}")
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
        """The value that has these fields; those that its class does not know are left out."""
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
                f"{self.cls.__name__} cannot be made of {', '.join(values) or 'no fields'}: "
                f"{misfit_of(error).problem}"
            ) from error


def abstract(cls: type, parts: Codecs) -> Codec:
    """Values of whatever class has the shape of that one, which has no values of its own."""
    rest = parts.of(Any)

    def read(text: Json) -> Any:
        plain = from_json(text)
        return _named(cls, plain[TYPE], text, parts) if _has_name(plain) else rest.read(text)

    return Codec(rest.write, read)


def is_abstract(cls: type) -> bool:
    """Whether a class only tells what others must have."""
    return inspect.isabstract(cls) or getattr(cls, "_is_protocol", False)


def _has_name(plain: Any) -> bool:
    return isinstance(plain, dict) and TYPE in plain


def _named(cls: type, name: Any, text: Json, parts: Codecs) -> Any:
    """What was written with the name of its class: that one, or one that inherits from it."""
    for heir in _family(cls):
        if is_record_class(heir) and parts.name_of(heir) == name:
            return parts.record(heir).read(without_type(from_json(text)))
    return parts.of(Any).read(text)


def record_shape(cls: type, parts: Codecs) -> RecordShape:
    """The shape of that class."""
    fields = fields_in(cls)
    return RecordShape(
        cls,
        parts,
        {name: parts.of(hint) for name, hint in parts.hints_of(cls).items()},
        {field.name: field.stored for field in fields},
        field_names(cls) is None,
        _maker(cls, fields),
    )


def _family(cls: type) -> Iterator[type]:
    yield cls
    heirs: list[type] = cls.__subclasses__()
    for heir in heirs:
        yield from _family(heir)


def _maker(cls: type, fields: Sequence[Field]) -> Make:
    """What makes a value from its fields: its constructor, where that takes them, else each is set."""
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
    """The defaults of the fields that have no value, for a class whose ``__init__`` may take anything."""
    absent = [field for field in fields if field.name not in values]
    for field in absent:
        if field.required:
            raise Misfit(f"the field {field.name!r} is missing")
    return {field.name: field.made_default() for field in absent}


def _set(made: Any, values: Mapping[str, Any]) -> Any:
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made
