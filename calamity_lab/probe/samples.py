"""Made-up messages, to ask a model's classes about before anything happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from calamity_lab.kernel.schema import COMPUTED, NO_DEFAULT, Field, arguments_of
from calamity_lab.probe.field_types import FieldType, Group, field_type, group_of

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
    if is_value and not any(_same(default, other) for other in found):
        found.append(default)
    return tuple(found) or (None,)


def _same(one: Any, other: Any) -> bool:
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
