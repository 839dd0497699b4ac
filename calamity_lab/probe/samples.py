"""Made-up messages: what a model's classes can be asked about before anything happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from calamity_lab.kernel.schema import COMPUTED, NO_DEFAULT, Field, arguments_of
from calamity_lab.probe.field_types import Shape, shape

MOST_SAMPLES = 24
"""So many made-up messages of a class are enough."""

_DEEPEST = 5
_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)

# The first of each is the plainest; the others are there to get past a condition.
_VALUES: dict[type, tuple[Any, ...]] = {
    int: (1, 1_000, 0),
    float: (1.0, 1_000.0, 0.0),
    bool: (True, False),
    Decimal: (Decimal(1), Decimal(1_000), Decimal(0)),
    date: (_DAY.date(), date(2030, 1, 1)),
    datetime: (_DAY, datetime(2030, 1, 1, tzinfo=UTC)),
    time: (time(12),),
    UUID: (UUID(int=1),),
}


def sample(cls: type, names: Mapping[str, Any] | None = None) -> Any:
    """One made-up object of a class, every field filled; None where none can be made."""
    return next(iter(samples(cls, names)), None)


def samples(cls: type, names: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    """Made-up objects of a class: the plainest, then others that differ from it in one field each."""
    return tuple(_made(cls, names or {}, 0))


def _made(cls: type, names: Mapping[str, Any], depth: int) -> Iterator[Any]:
    fields = arguments_of(cls, names)
    values = {field.argument: _values(field, names, depth) for field in fields}
    base = {name: options[0] for name, options in values.items()}
    for arguments in islice(_varied(base, values), MOST_SAMPLES):
        made = _make(cls, arguments)
        if made is not None:
            yield made


def _varied(base: dict[str, Any], values: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    yield base
    for name, options in values.items():
        for option in options[1:]:
            yield {**base, name: option}


def _make(cls: type, arguments: Mapping[str, Any]) -> Any:
    try:
        return cls(**arguments)
    except Exception:  # noqa: BLE001 - a class may refuse what was made up; others will do
        return None


def _values(field: Field, names: Mapping[str, Any], depth: int) -> tuple[Any, ...]:
    found = list(_of(shape(field.annotation), field.argument, names, depth))
    default = field.made_default()
    is_value = default is not NO_DEFAULT and default is not COMPUTED
    if is_value and not any(_same(default, other) for other in found):
        found.append(default)
    return tuple(found) or (None,)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _of(asks: Shape, name: str, names: Mapping[str, Any], depth: int) -> Iterator[Any]:
    """Values of that shape; texts are the field's own name, so that equal names hold equal ids."""
    for alternative in asks.alternatives:
        yield from _of(alternative, name, names, depth)
    if asks.choices:
        yield from (value for _, value in asks.choices)
    elif asks.record is not None and depth < _DEEPEST:
        yield from list(_made(asks.record, names, depth + 1))[: 3 if depth else MOST_SAMPLES]
    elif asks.item is not None:
        items = list(_of(asks.item, name, names, depth))[:1]
        yield asks.container(items)
        yield asks.container([])
    elif asks.atom in _VALUES:
        yield from _VALUES[asks.atom]
    elif not asks.alternatives and asks.record is None:
        yield name
    if asks.optional:
        yield None


def changed_samples(cls: type, id_: Any, names: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Made-up objects of a class with the id in each field, in turn, that could hold it."""
    fields = arguments_of(cls, names)
    for made in samples(cls, names):
        arguments = {field.argument: getattr(made, field.name or field.argument, None) for field in fields}
        for name, value in arguments.items():
            if type(value) is type(id_) or value is None:
                other = _make(cls, {**arguments, name: id_})
                if other is not None:
                    yield other
