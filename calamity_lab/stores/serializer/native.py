"""Which annotations msgspec alone writes and reads, so that what is read equals what was written."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin
from uuid import UUID

import msgspec

from calamity_lab.kernel.fields import field_names
from calamity_lab.stores.serializer.codec import Codec, as_it_is

JSONS_OWN: frozenset[type] = frozenset({str, int, float, bool, types.NoneType})
SCALARS: frozenset[type] = JSONS_OWN | {bytes, Decimal, UUID, datetime, date, time, timedelta}
_KEYS = SCALARS - {bool, types.NoneType, time, timedelta}
MAYBE_NONE = "may be None, since that is its default"
"""Marks an annotation that says less than the field may hold, so that msgspec does not learn of it."""

UNIONS = (Union, types.UnionType)


def bare(hint: Any) -> Any:
    """The annotation without what does not matter to how a value is written."""
    while True:
        if isinstance(hint, NewType):
            hint = hint.__supertype__
        elif get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif type(hint).__name__ == "TypeAliasType":  # typing's own, from Python 3.12 on
            hint = hint.__value__
        else:
            return hint


def is_native(hint: Any, hints_of: Callable[[type], dict[str, Any]]) -> bool:
    """Whether msgspec alone can do it."""
    return _is_native(hint, hints_of, set()) and can_be_read(hint)


def can_be_read(hint: Any) -> bool:
    """Whether msgspec takes the annotation at all."""
    try:
        msgspec.json.Decoder(hint)
    except Exception:  # noqa: BLE001 - it resolves the user's own annotations once more, which may fail in any way
        return False
    return True


def natively(hint: Any) -> Codec:
    """The codec that leaves all to msgspec."""
    return Codec(as_it_is, msgspec.json.Decoder(hint).decode, native=True)


def _is_native(hint: Any, hints_of: Callable[[type], dict[str, Any]], seen: set[type]) -> bool:
    if MAYBE_NONE in getattr(hint, "__metadata__", ()):
        return False
    hint = bare(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return all(type(value) in (str, int, types.NoneType) for value in args)
    if origin in UNIONS or origin in (list, tuple):
        return all(part is Ellipsis or _is_native(part, hints_of, seen) for part in args)
    if origin is dict:
        return is_key(args[0]) and _is_native(args[1], hints_of, seen)
    if not isinstance(hint, type):
        return hint is None
    if hint in SCALARS or hint in seen:
        return True
    if issubclass(hint, Enum):
        return is_plain_enum(hint)
    if not _is_native_record(hint) or hint.__subclasses__():
        return False  # a record of a subclass is written with its name
    seen.add(hint)
    return all(_is_native(part, hints_of, seen) for part in hints_of(hint).values())


def is_key(hint: Any) -> bool:
    """Whether msgspec writes values that are annotated so as keys of an object."""
    hint = bare(hint)
    return isinstance(hint, type) and (hint in _KEYS or (issubclass(hint, Enum) and is_plain_enum(hint)))


def is_plain_enum(enum: type[Enum]) -> bool:
    """Whether all members have texts, or all have whole numbers, for values."""
    values = {type(member.value) for member in enum}
    return values in ({str}, {int})


def _is_native_record(cls: type) -> bool:
    if issubclass(cls, tuple):
        return False  # a named tuple would be written without its names
    if is_dataclass(cls) or issubclass(cls, msgspec.Struct):
        return True
    # Of an attrs class, msgspec does not write what has a private name.
    names = field_names(cls)
    return names is not None and not any(name.startswith("_") for name in names)
