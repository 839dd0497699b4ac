"""What a command's form asks for: its fields with their kinds, defaults and hints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from inspect import cleandoc
from typing import Any

from calamity_lab.errors import CalamityError
from calamity_lab.kernel import ask
from calamity_lab.kernel.schema import NO_DEFAULT, arguments_of
from calamity_lab.model import Model
from calamity_lab.probe.field_types import Kind, Shape, is_known, shape
from calamity_lab.probe.samples import sample
from calamity_lab.text import format_value

_DEEPEST = 4
# JavaScript's numbers are exact up to here; a larger one is sent as text.
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    ``default`` is a JSON value, or None; ``optional``: it may be left empty, and is None then; ``options``
    are the labels of a choice, ``fields`` those of a group, ``item`` is what a list has any number of.
    """

    name: str
    kind: Kind
    required: bool = True
    default: Any = None
    options: tuple[str, ...] = ()
    hint: str = ""
    optional: bool = False
    fields: tuple[Field, ...] = ()
    item: Field | None = None


@dataclass(frozen=True, slots=True)
class CommandForm:
    """The form of a command type: which aggregate type it goes to, and what it asks for."""

    command: str
    target: str
    doc: str
    fields: tuple[Field, ...]


def forms(model: Model) -> tuple[CommandForm, ...]:
    """The forms of a model's commands, in order."""
    names = {cls.__name__: cls for cls in model}
    return tuple(
        CommandForm(cls.__name__, _target(cls, names), _first_line(cls), _fields(cls, names, ()))
        for cls in model.commands
    )


def written(message: Any, names: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A message as the JSON values that its form would hold: `parse` reads them back."""
    return {
        field.argument: _value(
            shape(field.annotation), getattr(message, field.name or field.argument), names or {}
        )
        for field in arguments_of(type(message), names)
        if hasattr(message, field.name or field.argument)
    }


def _fields(cls: type, names: Mapping[str, Any], above: tuple[type, ...]) -> tuple[Field, ...]:
    return tuple(
        _field(
            each.argument,
            shape(each.annotation),
            names,
            (*above, cls),
            default=each.made_default(),
        )
        for each in arguments_of(cls, names)
    )


def _field(
    name: str, asks: Shape, names: Mapping[str, Any], above: tuple[type, ...], default: Any = NO_DEFAULT
) -> Field:
    if asks.record is not None and (asks.record in above or len(above) > _DEEPEST):
        asks = Shape("text", f"{asks.record.__name__}: nested too deep for a form", asks.optional)
    shows = default is not NO_DEFAULT and (is_known(asks) or isinstance(default, str))
    return Field(
        name=name,
        kind=asks.kind,
        required=default is NO_DEFAULT and not asks.optional,
        default=_value(asks, default, names) if shows else None,
        options=tuple(label for label, _ in asks.choices),
        # A default that cannot be typed is not put into the field, where it would be sent as a text.
        hint=asks.hint
        if shows or default in (None, NO_DEFAULT)
        else f"{asks.hint}; {format_value(default, 40)} when left empty",
        optional=asks.optional,
        fields=() if asks.record is None else _fields(asks.record, names, above),
        item=None if asks.item is None else _field("", asks.item, names, above),
    )


def _value(asks: Shape, value: Any, names: Mapping[str, Any]) -> Any:
    """A value of that shape as JSON; what has no form of its own as text."""
    if value is None or (isinstance(value, (bool, str)) and not asks.choices):
        return value
    for label, choice in asks.choices:
        if type(choice) is type(value) and choice == value:
            return label
    if isinstance(value, (int, float)):
        return value if abs(value) <= _EXACT else str(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if asks.record is not None and isinstance(value, asks.record):
        return written(value, names)
    if asks.item is not None and isinstance(value, (list, tuple, set, frozenset)):
        return [_value(asks.item, item, names) for item in value]
    for alternative in asks.alternatives:
        if (alternative.record is not None and isinstance(value, alternative.record)) or alternative.item:
            return _value(alternative, value, names)
    return str(value) if isinstance(value, Decimal) else format_value(value)


def _target(cls: type, names: Mapping[str, Any]) -> str:
    """The name of the aggregate type that the command goes to; empty where only a real command could tell."""
    made = sample(cls, names)
    try:
        return "" if made is None else ask.target(made).category
    except CalamityError:
        return ""  # told when the command is sent, with what is missing


def _first_line(cls: type) -> str:
    doc = cleandoc(cls.__doc__ or "")
    # A dataclass without a docstring has its signature there.
    return "" if doc.startswith(f"{cls.__name__}(") else doc.partition("\n")[0]
