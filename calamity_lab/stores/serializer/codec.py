"""What writes the values of one type as JSON and reads them, and for which types msgspec alone does so."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, get_args, get_origin
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from calamity_lab.errors import repr_of
from calamity_lab.kernel import schema
from calamity_lab.kernel.annotations import bare, is_union
from calamity_lab.kernel.schema import is_plain_enum

TYPE = "_type"
"""The key of the type of a value, where the annotation of its field does not tell the type."""

VALUE = "_value"
"""The key of a value that has no fields of its own to stand beside `TYPE`."""

ZONE, FOLD = "_zone", "_fold"
"""The keys of what a time has besides its text: the name of its zone, and its fold."""

LONGEST = 80
"""The number of characters of a value that an error shows."""

Json = bytes | str | msgspec.Raw

to_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
from_json: Callable[[Json], Any] = msgspec.json.Decoder().decode
to_fields: Callable[[Json], dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
to_items: Callable[[Json], list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw]).decode
to_pairs: Callable[[Json], list[tuple[msgspec.Raw, msgspec.Raw]]] = msgspec.json.Decoder(
    list[tuple[msgspec.Raw, msgspec.Raw]]
).decode


class Misfit(ValueError):
    """A value that its annotation does not allow, or JSON that is no value of it; ``path`` leads to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def within(self, step: str) -> Misfit:
        """The same problem, with the path seen from one level up."""
        return Misfit(self.problem, f"{step}{self.path}")


class Codec(NamedTuple):
    """Writes values of one type as something that msgspec writes, and reads them from JSON."""

    write: Callable[[Any], Any]
    read: Callable[[Json], Any]


class Codecs:
    """The codecs by annotation, for a codec that needs those of its parts.

    ``lenient`` codecs read a value of an unknown class as a dict; of others that is an error.
    """

    lenient = False

    def of(self, annotation: Any) -> Codec:
        """The codec for values with that annotation."""
        raise NotImplementedError

    def record(self, cls: type) -> Codec:
        """The codec for a class of records that writes each as a dict of its fields."""
        raise NotImplementedError

    def name_of(self, cls: type) -> str:
        """The name of a class in JSON."""
        raise NotImplementedError

    def claim(self, cls: type) -> str:
        """The name of a class in JSON; from now on the name leads to the class."""
        raise NotImplementedError

    def class_of(self, name: str) -> type | None:
        """The class of that name."""
        raise NotImplementedError

    def annotations_of(self, cls: type) -> dict[str, Any]:
        """The annotations of a class by field; ``Any`` for one that cannot be resolved."""
        raise NotImplementedError


def unchanged(value: Any) -> Any:
    """The value itself, which msgspec writes without help."""
    return value


def is_named(text: Json) -> bool:
    """Whether the JSON may hold the name of a type."""
    return f'"{TYPE}"' in text if isinstance(text, str) else f'"{TYPE}"'.encode() in bytes(text)


def without_type(plain: dict[str, Any]) -> bytes:
    """The JSON of an object without the name of its type."""
    return to_json({key: item for key, item in plain.items() if key != TYPE})


def at(step: str, call: Callable[[Any], Any], given: Any) -> Any:
    """The result of the call; a `Misfit` in it gets the step that led there."""
    try:
        return call(given)
    except Misfit as misfit:
        raise misfit.within(step) from misfit
    except msgspec.MsgspecError as error:
        raise _located(error).within(step) from error


def _located(error: Exception) -> Misfit:
    """An error of msgspec as a `Misfit`; msgspec writes ``Expected `int` - at `$.x` ``."""
    problem, _, path = str(error).partition(" - at `")
    return Misfit(problem, path.removesuffix("`").removeprefix("$"))


def misfit_of(error: Exception) -> Misfit:
    """Any error that came up while values were read or written, as a `Misfit`."""
    if isinstance(error, Misfit):
        return error
    if isinstance(error, msgspec.MsgspecError):
        return _located(error)
    if isinstance(error, RecursionError):
        return Misfit("the value is nested too deeply, or holds itself")
    return Misfit(f"{type(error).__name__}: {error}")


def not_json(value: Any) -> str:
    """The problem of a value that JSON cannot hold."""
    cls = type(value)
    return (
        f"JSON cannot hold {short_repr(value)} ({cls.__module__}.{cls.__qualname__}). Use texts, numbers, "
        "times, enums, collections, and records of these"
    )


def beside(value: Any) -> dict[str, Any]:
    """What the text of a time does not tell: the name of its zone, and its fold; nothing for other values.

    Raises `Misfit` for a zone without a name that can be looked up.
    """
    if not isinstance(value, (datetime, time)):
        return {}
    extra: dict[str, Any] = {FOLD: 1} if value.fold else {}
    zone = value.tzinfo
    if isinstance(zone, ZoneInfo) and zone.key:
        return {ZONE: zone.key, **extra}
    if zone is not None and zone.utcoffset(None) is None:
        raise Misfit(
            f"the time zone of {short_repr(value)} cannot be stored, because it has no name. "
            "Give a ZoneInfo, as in ZoneInfo('Europe/Berlin'), or a time in UTC"
        )
    return extra


def timed(value: Any) -> Any:
    """A time with its zone and fold, where its text does not tell them; any other value as it is."""
    extra = beside(value)
    return {TYPE: stored_time(value), VALUE: value, **extra} if extra else value


def stored_time(value: datetime | time) -> str:
    """The name of the type of a time."""
    return "datetime" if isinstance(value, datetime) else "time"


def retimed(value: Any, plain: dict[str, Any]) -> Any:
    """A time that was read from its text, with the zone and the fold that stand beside it."""
    name = plain.get(ZONE)
    if name is not None:
        try:
            value = value.replace(tzinfo=ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise Misfit(
                f"the time zone {name!r} is not known on this machine. Install the zones, as with "
                "pip install tzdata"
            ) from error
    return value.replace(fold=plain[FOLD]) if FOLD in plain else value


def step_to(key: Any) -> str:
    """The step in a path that leads to the value of a key."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{short_repr(key)}]"


def short_repr(value: Any) -> str:
    """The repr of a value, cut to a length."""
    return repr_of(value, LONGEST)


JSONS_OWN: frozenset[type] = frozenset({str, int, float, bool, types.NoneType})
SCALARS: frozenset[type] = JSONS_OWN | {bytes, Decimal, UUID, datetime, date, time, timedelta}
_KEYS = SCALARS - {bool, types.NoneType, time, timedelta}
MAYBE_NONE = "may be None, since that is its default"
"""Marks the annotation of a field that is None by default and does not say so: msgspec must not read it."""


def is_for_msgspec(annotation: Any, annotations_of: Callable[[type], dict[str, Any]]) -> bool:
    """Whether msgspec alone writes and reads values with that annotation."""
    return _is_for_msgspec(annotation, annotations_of, set()) and can_be_read(annotation)


def can_be_read(annotation: Any) -> bool:
    """Whether msgspec accepts the annotation."""
    try:
        msgspec.json.Decoder(annotation)
    except Exception:  # noqa: BLE001 - it resolves the user's own annotations once more, which may fail in any way
        return False
    return True


def by_msgspec(annotation: Any) -> Codec:
    """The codec that leaves everything to msgspec."""
    return Codec(unchanged, msgspec.json.Decoder(annotation).decode)


def _is_for_msgspec(
    annotation: Any, annotations_of: Callable[[type], dict[str, Any]], seen: set[type]
) -> bool:
    if MAYBE_NONE in getattr(annotation, "__metadata__", ()):
        return False
    annotation = bare(annotation)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return all(type(value) in (str, int, types.NoneType) for value in args)
    if is_union(annotation) or origin in (list, tuple):
        return all(part is Ellipsis or _is_for_msgspec(part, annotations_of, seen) for part in args)
    if origin is dict:
        return is_key(args[0]) and _is_for_msgspec(args[1], annotations_of, seen)
    if not isinstance(annotation, type):
        return annotation is None
    if annotation in SCALARS or annotation in seen:
        return True
    if issubclass(annotation, Enum):
        return is_plain_enum(annotation)
    if not _is_record_for_msgspec(annotation) or annotation.__subclasses__():
        return False  # a record of a subclass is written with its name
    seen.add(annotation)
    return all(_is_for_msgspec(part, annotations_of, seen) for part in annotations_of(annotation).values())


def is_key(annotation: Any) -> bool:
    """Whether msgspec writes values with that annotation as keys of an object."""
    annotation = bare(annotation)
    return isinstance(annotation, type) and (
        annotation in _KEYS or (issubclass(annotation, Enum) and is_plain_enum(annotation))
    )


def _is_record_for_msgspec(cls: type) -> bool:
    kind = schema.kind_of(cls)
    if kind == "attrs":  # of which msgspec does not write what has a private name
        return not any(name.startswith("_") for name in schema.field_names(cls) or ())
    # A named tuple would be written without its names, and pydantic checks what it reads.
    return kind in ("dataclass", "struct")
