"""Enums, and subclasses of text and numbers, that msgspec alone cannot write."""

from __future__ import annotations

from enum import Enum
from typing import Any

from calamity_lab.stores.serializer.codec import Codec, Json, Misfit, from_json, told
from calamity_lab.stores.serializer.native import is_plain_enum, natively


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
