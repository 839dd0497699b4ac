"""Commands from what was typed into their forms; all problems are reported at once.

The rules of `calamity_lab.probe.reading` make values of texts; nothing that was typed is ever evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from calamity_lab.errors import InvalidFields
from calamity_lab.kernel.schema import NO_DEFAULT
from calamity_lab.kernel.schema import Field as Argument
from calamity_lab.probe.field_types import TYPE, FieldType, Group, Listed, field_type, group_of
from calamity_lab.probe.reading import Unreadable, quoted
from calamity_lab.text import format_value

_WRONG = object()


def parse(command_cls: type, values: Mapping[str, Any], *, classes: Iterable[type] = ()) -> Any:
    """The command with these values, which are JSON; texts are read by the types of the command's fields.

    A field that is left out or empty takes its default, or None if it may be None; else it is missing.
    ``classes`` are further classes that the annotations of the command may name. Raises `InvalidFields` with
    every wrong field. If a class raises, the error is at the path of the object.
    """
    form = _Form({cls.__name__: cls for cls in classes})
    command = form.group(group_of(command_cls), values, "")
    if form.errors:
        raise InvalidFields(command_cls.__name__, form.errors)
    return command


class _Form:
    """Reads values, and notes their problems by path."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names
        self.errors: dict[str, str] = {}

    def group(self, group: Group, given: Any, path: str) -> Any:
        parts = group.parts(self.names)
        known = [part.argument for part in parts]
        values = _by_name(group, known, given)
        if values is None:
            return self._wrong(path, f"{quoted(given)} is not {_a(group)}")
        for name in values:
            if name not in known:
                self._wrong(_joined(path, str(name)), _unknown(group.name, str(name), known))
        arguments = {part.argument: self._argument(part, values, path) for part in parts}
        if any(value is _WRONG for value in arguments.values()) or any(name not in known for name in values):
            return _WRONG
        given = {name: value for name, value in arguments.items() if value is not NO_DEFAULT}
        return self._made(group.make, given, path)

    def _made(self, make: Callable[..., Any], arguments: dict[str, Any], path: str) -> Any:
        try:
            return make(**arguments)
        except Exception as error:  # noqa: BLE001 - the user's own class may raise anything; it is reported
            return self._wrong(path, format_value(str(error) or type(error).__name__))

    def _argument(self, part: Argument, values: Mapping[str, Any], path: str) -> Any:
        """The value of a field; `NO_DEFAULT` if the class is to take its default."""
        takes, path = field_type(part.annotation), _joined(path, part.argument)
        given = values.get(part.argument)
        if part.argument in values and not _is_empty(takes, given):
            return self._value(takes, given, path)
        if part.argument in values and takes.optional:
            return None
        if part.made_default() is not NO_DEFAULT:
            return NO_DEFAULT
        return None if takes.optional else self._missing(takes, path)

    def _value(self, takes: FieldType, given: Any, path: str) -> Any:
        if takes.alternatives:
            return self._first_that_fits(takes, given, path)
        if takes.choices:
            return self._choice(takes, given, path)
        if takes.group is not None:
            return self.group(takes.group, given, path)
        if takes.items is not None:
            return self._list(takes.items, given, path)
        try:
            return takes.read_single(given)
        except Unreadable as problem:
            return self._wrong(path, str(problem))
        except Exception as error:  # noqa: BLE001 - a text or number of the user's own class may refuse it
            return self._wrong(path, format_value(str(error) or type(error).__name__))

    def _first_that_fits(self, takes: FieldType, given: Any, path: str) -> Any:
        members, given = _named_member(takes, given)
        for member in members:
            attempt = _Form(self.names)
            value = attempt._value(member, given, path)
            if not attempt.errors:
                return value
            if len(members) == 1:
                self.errors.update(attempt.errors)
                return _WRONG
        return self._wrong(path, f"{quoted(given)} is none of these: {takes.hint}")

    def _choice(self, takes: FieldType, given: Any, path: str) -> Any:
        for label, choice in takes.choices:
            if given == label and isinstance(given, str):
                return choice
        for _, choice in takes.choices:  # as in Literal[1, 2], given as JSON numbers
            if type(choice) is type(given) and choice == given:
                return choice
        return self._wrong(path, f"{quoted(given)} is not {takes.described()}")

    def _list(self, items: Listed, given: Any, path: str) -> Any:
        values = _from_json(given)
        if items.entries and isinstance(values, Mapping):
            values = list(values.items())
        if not isinstance(values, (list, tuple)):
            return self._wrong(path, f"{quoted(given)} is not {'an object' if items.entries else 'a list'}")
        read = [self._item(items.item, value, f"{path}[{n}]") for n, value in enumerate(values)]
        if any(value is _WRONG for value in read):
            return _WRONG
        try:
            return items.make(read)
        except (TypeError, ValueError) as error:  # an item that a set cannot hold, a key that is there twice
            return self._wrong(path, format_value(str(error)))

    def _item(self, takes: FieldType, given: Any, path: str) -> Any:
        if not _is_empty(takes, given):
            return self._value(takes, given, path)
        return None if takes.optional else self._missing(takes, path)

    def _missing(self, takes: FieldType, path: str) -> Any:
        return self._wrong(path, f"is missing: give {takes.described()}")

    def _wrong(self, path: str, reason: str) -> Any:
        self.errors.setdefault(path, reason)
        return _WRONG


def _by_name(group: Group, known: list[str], given: Any) -> Mapping[str, Any] | None:
    """The given value of each part of a group; None if what is given is not a group."""
    given = _from_json(given)
    if group.ordered and isinstance(given, (list, tuple)) and len(given) == len(known):
        return dict(zip(known, given, strict=True))
    return given if isinstance(given, Mapping) else None


def _from_json(given: Any) -> Any:
    """The value of a JSON text of an object or a list; any other value unchanged."""
    if not isinstance(given, str) or not given.lstrip().startswith(("{", "[")):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given  # the caller reports it: it is not an object or a list


def _named_member(takes: FieldType, given: Any) -> tuple[Sequence[FieldType], Any]:
    """The members of a union that may fit, and the given value, without the name of the member in it."""
    plain = _from_json(given)
    if isinstance(plain, Mapping) and TYPE in plain:
        named = [member for member in takes.alternatives if member.group and member.group.name == plain[TYPE]]
        if len(named) == 1:
            return named, {name: value for name, value in plain.items() if name != TYPE}
    return takes.alternatives, given


def _is_empty(takes: FieldType, given: Any) -> bool:
    """Whether nothing was given. Blanks are a text, but no number, date or choice."""
    if not isinstance(given, str):
        return given is None
    return not given if takes.takes_any_text and not takes.choices else not given.strip()


def _a(group: Group) -> str:
    if group.ordered:
        return f"{group.name}: give its values in order"
    return f"a {group.name}: give its fields by name"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unknown(group: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{group} has no field of this name{meant} (its fields: {', '.join(known) or 'none'})"
