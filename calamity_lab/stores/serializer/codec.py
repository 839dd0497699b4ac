"""What writes the values of one type as JSON and reads them, and for which types msgspec alone does so."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, get_args, get_origin
from uuid import UUID

import msgspec

from calamity_lab.kernel import schema
from calamity_lab.kernel.annotations import bare, is_union

TYPE = "_type"
"""Under this key stands what a value is, where its field's annotation does not tell."""

VALUE = "_value"
"""Under this key stands the value itself, where it has no fields to stand beside `TYPE`."""

LONGEST = 80
"""How much of a value is told in an error."""

Json = bytes | str | msgspec.Raw

to_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
from_json: Callable[[Json], Any] = msgspec.json.Decoder().decode
to_fields: Callable[[Json], dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
to_items: Callable[[Json], list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw]).decode
to_pairs: Callable[[Json], list[tuple[msgspec.Raw, msgspec.Raw]]] = msgspec.json.Decoder(
    list[tuple[msgspec.Raw, msgspec.Raw]]
).decode


class Misfit(ValueError):
    """A value that a shape has no place for, or JSON that is none of its shape; ``path`` leads to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def within(self, step: str) -> Misfit:
        """The same, told from one level up."""
        return Misfit(self.problem, f"{step}{self.path}")


class Codec(NamedTuple):
    """Writes values of one shape as something that msgspec writes, and reads them from JSON.

    ``native`` tells that msgspec alone does both.
    """

    write: Callable[[Any], Any]
    read: Callable[[Json], Any]
    native: bool = False


class Codecs:
    """The codecs by the annotation that each is for: what the makers of codecs are given to ask for parts."""

    def of(self, hint: Any) -> Codec:
        """The codec for values that are annotated so."""
        raise NotImplementedError

    def record(self, cls: type) -> Codec:
        """The codec for a class of records that writes each as a dict of its fields."""
        raise NotImplementedError

    def name_of(self, cls: type) -> str:
        """The name that a class goes by in JSON."""
        raise NotImplementedError

    def claim(self, cls: type) -> str:
        """The name that a class goes by, which from now on leads to it."""
        raise NotImplementedError

    def class_of(self, name: str) -> type | None:
        """The class that goes by that name."""
        raise NotImplementedError

    def hints_of(self, cls: type) -> dict[str, Any]:
        """The annotations of a class by field, resolved; ``Any`` where that cannot be."""
        raise NotImplementedError


def as_it_is(value: Any) -> Any:
    """What msgspec writes without help."""
    return value


def is_named(text: Json) -> bool:
    """Whether the name of a type may stand anywhere in the JSON."""
    return f'"{TYPE}"' in text if isinstance(text, str) else f'"{TYPE}"'.encode() in bytes(text)


def without_type(plain: dict[str, Any]) -> bytes:
    """The JSON of an object without the name of its type."""
    return to_json({key: item for key, item in plain.items() if key != TYPE})


def at(step: str, call: Callable[[Any], Any], given: Any) -> Any:
    """What the call makes of what is given; a misfit tells the step that led there."""
    try:
        return call(given)
    except Misfit as misfit:
        raise misfit.within(step) from misfit
    except msgspec.MsgspecError as error:
        raise _located(error).within(step) from error


def _located(error: Exception) -> Misfit:
    """Msgspec's own error, which has its path behind the problem, as in ``Expected `int` - at `$.x` ``."""
    problem, _, path = str(error).partition(" - at `")
    return Misfit(problem, path.removesuffix("`").removeprefix("$"))


def misfit_of(error: Exception) -> Misfit:
    """Whatever went wrong while values were read or written, as a misfit."""
    if isinstance(error, Misfit):
        return error
    if isinstance(error, msgspec.MsgspecError):
        return _located(error)
    if isinstance(error, RecursionError):
        return Misfit("it is nested too deeply, or holds itself")
    return Misfit(f"{type(error).__name__}: {error}")


def no_word(value: Any) -> str:
    """What is wrong with a value that cannot be written."""
    cls = type(value)
    return (
        f"JSON has no word for {told(value)} ({cls.__module__}.{cls.__qualname__}); use texts, numbers, "
        "times, enums, collections, and records of these"
    )


def step_to(key: Any) -> str:
    """How the path in an error goes on to what a dict has under that key."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{told(key)}]"


def told(value: Any) -> str:
    """A value in a few words, whatever its repr does."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a repr may be the user's own
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


JSONS_OWN: frozenset[type] = frozenset({str, int, float, bool, types.NoneType})
SCALARS: frozenset[type] = JSONS_OWN | {bytes, Decimal, UUID, datetime, date, time, timedelta}
_KEYS = SCALARS - {bool, types.NoneType, time, timedelta}
MAYBE_NONE = "may be None, since that is its default"
"""Marks an annotation that says less than the field may hold, so that msgspec does not learn of it."""


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
    if is_union(hint) or origin in (list, tuple):
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
    kind = schema.kind_of(cls)
    if kind == "attrs":  # of which msgspec does not write what has a private name
        return not any(name.startswith("_") for name in schema.field_names(cls) or ())
    # A named tuple would be written without its names, and pydantic checks what it reads.
    return kind in ("dataclass", "struct")
