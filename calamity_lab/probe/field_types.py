"""The types that a form's field may have: how a value is asked for, read, written as JSON, and made up.

`SCALARS` has a row per type of single values, `_GENERICS` one per type of values with parts. Forms, parsing
and made-up messages all read these tables: a type that gets a row here is known to all of them.
"""

from __future__ import annotations

import collections
import collections.abc
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from itertools import islice
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin
from uuid import UUID

from calamity_lab.kernel.annotations import Unresolved, bare, is_union
from calamity_lab.kernel.from_text import FROM_TEXT
from calamity_lab.kernel.schema import COMPUTED, NO_DEFAULT, Field, arguments_of, is_message_class
from calamity_lab.probe import reading
from calamity_lab.probe.reading import Unlike, Unreadable, quoted
from calamity_lab.text import format_value

Kind = Literal[
    "text", "integer", "number", "decimal", "boolean", "date", "datetime", "choice", "group", "list"
]

TYPE = "_type"
"""Under this key a record in a union names its class, since another member may have the same fields."""

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_LATER = datetime(2030, 1, 1, tzinfo=UTC)
# JavaScript's numbers are exact up to here; a larger one is sent as text.
_EXACT = 2**53


def _number(value: float) -> Any:
    return value if abs(value) <= _EXACT else str(value)


def _same(value: Any) -> Any:
    return value


class Scalar(NamedTuple):
    """A type of single values: the kind of its input, an example, and what reads, writes and makes them up.

    The first of the ``samples`` is the plainest; the others are there to get past a condition. A text has
    none: it is made up as the name of its field, so that fields of one name hold the same id.
    """

    kind: Kind
    example: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    samples: tuple[Any, ...] = ()


def _by_text(kind: Kind, example: str, cls: type, *samples: Any) -> Scalar:
    """A type whose values are typed as the texts that they are written as."""
    write = getattr(cls, "isoformat", str)
    return Scalar(kind, example, reading.reader_of_text(FROM_TEXT[cls]), write, samples)


SCALARS: Mapping[type, Scalar] = {
    str: Scalar("text", "", reading.read_text, _same),
    int: Scalar("integer", "a whole number, as in 42", reading.read_integer, _number, (1, 1_000, 0)),
    float: Scalar("number", "a number, as in 1.5", reading.read_number, _number, (1.0, 1_000.0, 0.0)),
    bool: Scalar("boolean", "", reading.read_boolean, _same, (True, False)),
    Decimal: Scalar(
        "decimal",
        "a decimal number, as in 12.50",
        reading.read_decimal,
        str,
        (Decimal(1), Decimal(1_000), Decimal(0)),
    ),
    date: _by_text("date", "a date, as in 2026-03-01", date, _NOON.date(), _LATER.date()),
    datetime: _by_text("datetime", "a date and time, as in 2026-03-01T14:30", datetime, _NOON, _LATER),
    time: _by_text("text", "a time, as in 14:30", time, _NOON.time()),
    timedelta: Scalar(
        "text",
        "a duration, as in 1:30:00 or 2 days",
        reading.read_duration,
        reading.duration_text,
        (timedelta(hours=1), timedelta(days=1), timedelta(0)),
    ),
    UUID: _by_text("text", "a UUID, as in 12345678-1234-5678-1234-567812345678", UUID, UUID(int=1)),
    bytes: Scalar(
        "text",
        "bytes in base 64, as in aGk=",
        reading.read_bytes,
        lambda value: b64encode(value).decode(),
        (b"hi",),
    ),
}


class Group(NamedTuple):
    """Values of several named parts: a record with its fields, or a tuple with a type for each item.

    ``parts`` gives the parts, once it is known which further classes the annotations may name. A group is
    read from an object with a value per part; one that is ``ordered`` also from a list of the values.
    """

    name: str
    parts: Callable[[Mapping[str, Any]], Sequence[Field]]
    make: Callable[..., Any]
    part_of: Callable[[Any, Field], Any]
    cls: type
    ordered: bool = False

    def values_of(self, value: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        """What a value holds for each part that it has."""
        found = {part.argument: self.part_of(value, part) for part in self.parts(names)}
        return {name: part for name, part in found.items() if part is not _ABSENT}


class Listed(NamedTuple):
    """Values of any number of items: what each item is, what the items become, and the items of a value.

    One with ``entries`` is a dict: each item is a key and a value, and it is read from an object too.
    """

    item: FieldType
    make: Callable[[list[Any]], Any]
    items_of: Callable[[Any], Iterable[Any]]
    types: tuple[type, ...]
    entries: bool = False


@dataclass(frozen=True, slots=True)
class FieldType:
    """What a field takes, by its annotation.

    ``scalar`` is the row of a single value, ``choices`` are the values to choose from by label, ``group`` and
    ``items`` describe values with parts. ``alternatives`` are the members of a union; the first that fits is
    taken. ``cls`` is the class of the values, if they have one. A type with none of these is not known: any
    text or JSON value is taken as it is.
    """

    kind: Kind
    hint: str = ""
    optional: bool = False
    cls: type | None = None
    scalar: Scalar | None = None
    choices: tuple[tuple[str, Any], ...] = ()
    group: Group | None = None
    items: Listed | None = None
    alternatives: tuple[FieldType, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether a value of the type can be typed into a form."""
        return self.kind != "text" or self.scalar is not None or bool(self.alternatives)

    @property
    def takes_any_text(self) -> bool:
        """Whether a text of blanks is a value of the type."""
        is_unknown = self.kind == "text" and self.scalar is None and not self.alternatives
        return self._is_text or is_unknown or any(other.takes_any_text for other in self.alternatives)

    @property
    def _is_text(self) -> bool:
        return self.cls is not None and issubclass(self.cls, str) and not self.choices

    def described(self) -> str:
        """What fits, in a few words."""
        if self.choices:
            return f"one of {', '.join(label for label, _ in self.choices)}"
        if self.group is not None:
            return f"the fields of {self.group.name}"
        if self.items is not None:
            return "keys and values" if self.items.entries else "a list"
        return self.hint or ("true or false" if self.kind == "boolean" else "a text")

    def holds(self, value: Any) -> bool:
        """Whether a value is one of this type."""
        if self.choices:
            return any(type(choice) is type(value) and choice == value for _, choice in self.choices)
        if self.items is not None:
            return isinstance(value, self.items.types)
        return self.cls is not None and type(value) is self.cls

    def read_single(self, given: Any) -> Any:
        """The single value that a text or a JSON value stands for. Raises `Unreadable`."""
        if self.scalar is None:
            return given
        try:
            return self.scalar.read(given.strip() if isinstance(given, str) and not self._is_text else given)
        except Unlike:
            raise Unreadable(f"{quoted(given)} is not {self.scalar.example}") from None


def field_type(annotation: Any) -> FieldType:
    """What a field with that annotation takes; the names in the annotation must be resolved."""
    annotation = bare(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is NoneType:
        return FieldType("text", "nothing", optional=True)
    if origin is Literal:
        return _literal(arguments)
    if is_union(annotation):
        return _union([field_type(member) for member in arguments])
    generic = _GENERICS.get(origin or annotation)
    if generic is not None:
        return generic(origin or annotation, arguments)
    return _of_class(origin or annotation) if isinstance(origin or annotation, type) else _unknown(annotation)


def _of_class(cls: type) -> FieldType:
    scalar = SCALARS.get(cls)
    if scalar is not None:
        return FieldType(scalar.kind, scalar.example, cls=cls, scalar=scalar)
    if issubclass(cls, Enum):
        return FieldType("choice", cls=cls, choices=tuple(cls.__members__.items()))
    if is_message_class(cls):
        return FieldType("group", cls=cls, group=group_of(cls))
    for base in (str, int, float):
        if issubclass(cls, base) and cls.__new__ is base.__new__:
            return _subclass(cls, SCALARS[base])
    return _unknown(cls)


def group_of(cls: type) -> Group:
    """The fields of a record class, as what its constructor takes."""
    return Group(cls.__name__, lambda names: arguments_of(cls, names), cls, _attribute, cls)


def _subclass(cls: type, base: Scalar) -> FieldType:
    """A text or a number of a subclass, typed as a plain one."""
    samples: list[Any] = []
    for plain in base.samples:
        with suppress(Exception):  # the class may refuse some of them
            samples.append(cls(plain))
    scalar = base._replace(read=lambda given: cls(base.read(given)), samples=tuple(samples))
    return FieldType(base.kind, base.example or f"a text, for {cls.__name__}", cls=cls, scalar=scalar)


def _unknown(annotation: Any) -> FieldType:
    if annotation in (Any, object):
        return FieldType("text", "any text")
    name = annotation.text if isinstance(annotation, Unresolved) else getattr(annotation, "__name__", None)
    if get_origin(annotation) is not None or name is None:
        name = repr(annotation)
    return FieldType("text", f"{name}: given as text")


def _literal(values: tuple[Any, ...]) -> FieldType:
    some = [value for value in values if value is not None]
    labels = [value if type(value) is str else format_value(value) for value in some]
    if len(set(labels)) < len(labels):  # as in Literal[1, "1"]
        labels = [repr(value) for value in some]
    return FieldType("choice", optional=None in values, choices=tuple(zip(labels, some, strict=True)))


def _union(members: list[FieldType]) -> FieldType:
    """The only member that is not None, or all of them as alternatives."""
    optional = any(member.optional for member in members)
    some = [member for member in members if member.hint != "nothing"]
    if len(some) == 1:
        return replace(some[0], optional=optional)
    hint = "; or ".join(dict.fromkeys(member.described() for member in some))
    return FieldType("text", hint, optional, alternatives=tuple(some))


def _sequence(
    container: type, *types: type, items_of: Callable[[Any], Iterable[Any]] = iter
) -> Callable[[Any, tuple[Any, ...]], FieldType]:
    def made(origin: Any, arguments: tuple[Any, ...]) -> FieldType:
        item = field_type(arguments[0]) if arguments else field_type(str)
        return FieldType("list", cls=container, items=Listed(item, container, items_of, (container, *types)))

    return made


_set = partial(_sequence, items_of=partial(sorted, key=repr))


def _tuple(origin: Any, arguments: tuple[Any, ...]) -> FieldType:
    if not arguments or arguments[-1] is Ellipsis:
        return _sequence(tuple, list)(origin, arguments)
    tuple_fields = [Field("", annotation, f"{n}") for n, annotation in enumerate(arguments, 1)]
    group = Group(
        f"a tuple of {len(tuple_fields)}",
        lambda names: tuple_fields,
        lambda **values: tuple(values.values()),
        lambda value, part: value[int(part.argument) - 1] if len(value) == len(tuple_fields) else _ABSENT,
        tuple,
        ordered=True,
    )
    return FieldType("group", cls=tuple, group=group)


def _dict(origin: Any, arguments: tuple[Any, ...]) -> FieldType:
    key, value = arguments or (str, Any)
    parts = [Field("", key, "key"), Field("", value, "value")]
    entry = Group(
        "an entry",
        lambda names: parts,
        lambda **values: (values["key"], values["value"]),
        lambda pair, part: pair[part.argument == "value"],
        tuple,
        ordered=True,
    )
    item = FieldType("group", cls=tuple, group=entry)
    return FieldType("list", cls=dict, items=Listed(item, _distinct, dict.items, (dict,), entries=True))


def _distinct(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {quoted(twice)} is given more than once")
    return found


def _attribute(value: Any, part: Field) -> Any:
    return getattr(value, part.name or part.argument, _ABSENT)


_ABSENT: Any = object()

# For an abstract type, a container that cannot be changed, as the fields of a message should be.
_GENERICS: Mapping[Any, Callable[[Any, tuple[Any, ...]], FieldType]] = {
    list: _sequence(list),
    collections.abc.MutableSequence: _sequence(list),
    collections.deque: _sequence(collections.deque),
    tuple: _tuple,
    collections.abc.Sequence: _sequence(tuple, list),
    collections.abc.Collection: _sequence(tuple, list),
    collections.abc.Iterable: _sequence(tuple, list),
    set: _set(set),
    collections.abc.MutableSet: _set(set),
    frozenset: _set(frozenset),
    collections.abc.Set: _set(frozenset, set),
    dict: _dict,
    collections.abc.Mapping: _dict,
    collections.abc.MutableMapping: _dict,
}


# Sample values: what a field may hold.

MOST_SAMPLES = 24
"""The number of made-up messages of one class that are enough."""

_DEEPEST = 5


def sample(cls: type, names: Mapping[str, Any] | None = None) -> Any:
    """One made-up object of a class, every field filled; None where none can be made."""
    return next(iter(samples(cls, names)), None)


def samples(cls: type, names: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    """Made-up objects of a class: the plainest, then others that differ from it in one field each."""
    return tuple(_made(group_of(cls), names or {}, 0))


def _made(group: Group, names: Mapping[str, Any], depth: int) -> Iterator[Any]:
    values = {part.argument: _values(part, names, depth) for part in group.parts(names)}
    base = {name: options[0] for name, options in values.items()}
    for arguments in islice(_varied(base, values), MOST_SAMPLES):
        made = _make(group.make, arguments)
        if made is not None:
            yield made


def _varied(base: dict[str, Any], values: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    yield base
    for name, options in values.items():
        for option in options[1:]:
            yield {**base, name: option}


def _make(make: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    try:
        return make(**arguments)
    except Exception:  # noqa: BLE001 - a class may refuse what was made up; others will do
        return None


def _values(field: Field, names: Mapping[str, Any], depth: int) -> tuple[Any, ...]:
    found = list(_of(field_type(field.annotation), field.argument, names, depth))
    default = field.made_default()
    is_value = default is not NO_DEFAULT and default is not COMPUTED
    if is_value and not any(_is_same_type(default, other) for other in found):
        found.append(default)
    return tuple(found) or (None,)


def _is_same_type(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _of(takes: FieldType, name: str, names: Mapping[str, Any], depth: int) -> Iterator[Any]:
    """Values of that type. A text is the name of the field, so that fields of one name hold the same id."""
    for alternative in takes.alternatives:
        yield from _of(alternative, name, names, depth)
    if takes.choices:
        yield from (value for _, value in takes.choices)
    elif takes.group is not None and depth < _DEEPEST:
        yield from list(_made(takes.group, names, depth + 1))[: 3 if depth else MOST_SAMPLES]
    elif takes.items is not None:
        yield takes.items.make(list(_of(takes.items.item, name, names, depth))[:1])
        yield takes.items.make([])
    elif takes.scalar is not None and takes.scalar.samples:
        yield from takes.scalar.samples
    elif not takes.alternatives and takes.group is None:
        cls = takes.cls or str
        made = _make(lambda: cls(name), {})
        yield from () if made is None else (made,)
    if takes.optional:
        yield None


def changed_samples(cls: type, id_: Any, names: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Made-up objects of a class that hold the id in one field, one for each field that can hold it."""
    fields = arguments_of(cls, names)
    for made in samples(cls, names):
        arguments = {field.argument: getattr(made, field.name or field.argument, None) for field in fields}
        for name, value in arguments.items():
            if type(value) is type(id_) or value is None:
                other = _make(cls, {**arguments, name: id_})
                if other is not None:
                    yield other
