"""The form of a command: its fields with their kinds, defaults and hints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

from calamity_lab.errors import CalamityError
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.schema import NO_DEFAULT, arguments_of
from calamity_lab.kernel.schema import Field as Argument
from calamity_lab.model import Model
from calamity_lab.probe.field_types import SCALARS, TYPE, FieldType, Group, Kind, field_type, group_of, sample
from calamity_lab.probe.preview import target_of
from calamity_lab.text import format_value

_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form.

    ``default`` is a JSON value, or None. An ``optional`` field may be left empty, and is None then.
    ``options`` are the labels of a choice, ``fields`` the fields of a group, ``item`` the items of a list.
    """

    name: str
    kind: Kind
    required: bool = True
    default: Any = None
    options: tuple[str, ...] = ()
    hint: str = ""
    optional: bool = False
    fields: tuple[FormField, ...] = ()
    item: FormField | None = None


@dataclass(frozen=True, slots=True)
class CommandForm:
    """The form of a command type: the aggregate type that it goes to, and its fields."""

    command: str
    target: str
    doc: str
    fields: tuple[FormField, ...]


@dataclass(frozen=True, slots=True)
class Editing:
    """What the form is open for: another command in the place of a submitted one, or one before it.

    ``command_id`` is the submitted command. ``title`` says it in words. ``command`` is the type of which the
    form is shown at first, with the values in ``fields``; "" leaves the form as it is. ``turn`` is another
    number each time.
    """

    is_change: bool
    command_id: str
    title: str
    command: str
    fields: Mapping[str, Any]
    turn: int


def forms(model: Model) -> tuple[CommandForm, ...]:
    """The forms of a model's commands, in order."""
    names = {cls.__name__: cls for cls in model}
    return tuple(
        CommandForm(
            stored_name(cls),
            _target(cls, names),
            first_line(cls),
            _fields(arguments_of(cls, names), names, (cls,)),
        )
        for cls in model.commands
    )


def written(message: Any, names: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A message as the JSON values of its form; `parse` reads them back."""
    return _parts(group_of(type(message)), message, names or {})


def _fields(
    parts: Sequence[Argument], names: Mapping[str, Any], above: tuple[type, ...]
) -> tuple[FormField, ...]:
    return tuple(
        _field(part.argument, field_type(part.annotation), names, above, part.made_default(), part.doc)
        for part in parts
    )


def _field(
    name: str,
    takes: FieldType,
    names: Mapping[str, Any],
    above: tuple[type, ...],
    default: Any = NO_DEFAULT,
    doc: str = "",
) -> FormField:
    group = takes.group
    if group is not None and (group.cls in above or len(above) > _DEEPEST) and not group.ordered:
        takes = FieldType("text", f"{group.name}: nested too deep for a form", takes.optional)
    is_shown = default is not NO_DEFAULT and (takes.is_known or isinstance(default, str))
    hints = [doc, takes.hint]
    if not is_shown and default not in (None, NO_DEFAULT):
        # A default that cannot be typed does not go into the field: it would be sent as a text.
        hints.append(f"{format_value(default, 40)} when left empty")
    return FormField(
        name=name,
        kind=takes.kind,
        required=default is NO_DEFAULT and not takes.optional,
        default=_default(takes, default, names) if is_shown else None,
        options=tuple(label for label, _ in takes.choices),
        hint="; ".join(filter(None, hints)),
        optional=takes.optional,
        fields=()
        if takes.group is None
        else _fields(takes.group.parts(names), names, (*above, takes.group.cls)),
        item=None if takes.items is None else _field("", takes.items.item, names, above),
    )


def _default(takes: FieldType, default: Any, names: Mapping[str, Any]) -> Any:
    value = _value(takes, default, names)
    return json.dumps(value) if takes.kind == "text" and isinstance(value, (dict, list)) else value


def _value(takes: FieldType, value: Any, names: Mapping[str, Any]) -> Any:
    """A value of that type as JSON; as text, if the type is not known."""
    if value is None:
        return None
    for label, choice in takes.choices:
        if type(choice) is type(value) and choice == value:
            return label
    if takes.group is not None and isinstance(value, takes.group.cls):
        return _parts(takes.group, value, names)
    if takes.items is not None and isinstance(value, (*takes.items.types, list, tuple)):
        return [_value(takes.items.item, item, names) for item in takes.items.items_of(value)]
    for member in takes.alternatives:
        if member.holds(value):
            found = _value(member, value, names)
            # Several records may have the same fields.
            return {TYPE: member.group.name, **found} if member.group and isinstance(found, dict) else found
    scalar = SCALARS.get(type(value)) or takes.scalar
    return format_value(value) if scalar is None else scalar.write(value)


def _parts(group: Group, value: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    types = {part.argument: field_type(part.annotation) for part in group.parts(names)}
    return {name: _value(types[name], part, names) for name, part in group.values_of(value, names).items()}


def _target(cls: type, names: Mapping[str, Any]) -> str:
    """The name of the aggregate type that the command goes to; empty if only a real command has it."""
    made = sample(cls, names)
    try:
        return "" if made is None else target_of(made).category
    except CalamityError:
        return ""  # the error comes, with what is missing, when the command is sent


def first_line(cls: type) -> str:
    """The first line of the docstring of a class; "" where it has none."""
    doc = cleandoc(cls.__doc__ or "")
    # A dataclass without a docstring has its signature there.
    return "" if doc.startswith(f"{cls.__name__}(") else doc.partition("\n")[0]
