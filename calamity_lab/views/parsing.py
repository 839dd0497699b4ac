"""What was typed into a form, made into a command; everything that is wrong is told at once.

Texts become values by the rules of `reading`; nothing that was typed is ever evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from calamity_lab.errors import InvalidFields
from calamity_lab.kernel.schema import NO_DEFAULT, Field, arguments_of
from calamity_lab.probe.field_types import Shape, described, shape
from calamity_lab.probe.reading import Unreadable, quoted, read_atom
from calamity_lab.text import format_value

_WRONG = object()


def parse(command_cls: type, values: Mapping[str, Any], *, classes: Iterable[type] = ()) -> Any:
    """The command that the values, as JSON, make: texts are read by the types of the command's fields.

    A field that is left out or empty takes its default, or None where that may be; else it is missing.
    ``classes`` are those that annotations written as text may name beside what the command's module knows.
    Raises `InvalidFields`, which tells every wrong field; what the class itself refuses is told under the
    path of what was to be made.
    """
    form = _Form({cls.__name__: cls for cls in classes})
    command = form.record(command_cls, values, "")
    if form.errors:
        raise InvalidFields(command_cls.__name__, form.errors)
    return command


class _Form:
    """Reads values, and notes by path what is wrong with them."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names
        self.errors: dict[str, str] = {}

    def record(self, cls: type, values: Any, path: str) -> Any:
        if not isinstance(values, Mapping):
            return self._wrong(path, f"{quoted(values)} is no {cls.__name__}: give its fields by name")
        fields = arguments_of(cls, self.names)
        known = [field.argument for field in fields]
        for name in values:
            if name not in known:
                self._wrong(_joined(path, str(name)), _unknown(cls, str(name), known))
        arguments = {field.argument: self._argument(field, values, path) for field in fields}
        if any(value is _WRONG for value in arguments.values()) or any(name not in known for name in values):
            return _WRONG
        given = {name: value for name, value in arguments.items() if value is not NO_DEFAULT}
        return self._made(cls, given, path)

    def _made(self, cls: type, arguments: dict[str, Any], path: str) -> Any:
        try:
            return cls(**arguments)
        except Exception as error:  # noqa: BLE001 - whatever the user's own class refuses with is told
            return self._wrong(path, format_value(str(error) or type(error).__name__))

    def _argument(self, field: Field, values: Mapping[str, Any], path: str) -> Any:
        """The value of a field; `NO_DEFAULT` where it is left to the class."""
        asks, path = shape(field.annotation), _joined(path, field.argument)
        given = values.get(field.argument)
        if field.argument in values and not _is_empty(asks, given):
            return self._value(asks, given, path)
        if field.argument in values and asks.optional:
            return None
        if field.made_default() is not NO_DEFAULT:
            return NO_DEFAULT
        return None if asks.optional else self._missing(asks, path)

    def _value(self, asks: Shape, given: Any, path: str) -> Any:
        if asks.alternatives:
            return self._first_that_fits(asks, given, path)
        if asks.choices:
            return self._choice(asks, given, path)
        if asks.record is not None:
            return self.record(asks.record, given, path)
        if asks.item is not None:
            return self._list(asks, asks.item, given, path)
        if asks.atom is None:  # a type that forms do not know: a text, or whatever JSON says, as it is
            return given
        try:
            return read_atom(asks.atom, given)
        except Unreadable as problem:
            return self._wrong(path, str(problem))

    def _first_that_fits(self, asks: Shape, given: Any, path: str) -> Any:
        for alternative in asks.alternatives:
            attempt = _Form(self.names)
            value = attempt._value(alternative, given, path)
            if not attempt.errors:
                return value
        return self._wrong(path, f"{quoted(given)} is none of these: {asks.hint}")

    def _choice(self, asks: Shape, given: Any, path: str) -> Any:
        for label, choice in asks.choices:
            if given == label and isinstance(given, str):
                return choice
        for _, choice in asks.choices:  # as in Literal[1, 2], given as JSON numbers
            if type(choice) is type(given) and choice == given:
                return choice
        return self._wrong(path, f"{quoted(given)} is not {described(asks)}")

    def _list(self, asks: Shape, item: Shape, given: Any, path: str) -> Any:
        if not isinstance(given, (list, tuple)):
            return self._wrong(path, f"{quoted(given)} is no list")
        read = [self._item(item, value, f"{path}[{n}]") for n, value in enumerate(given)]
        if any(value is _WRONG for value in read):
            return _WRONG
        try:
            return asks.container(read)
        except TypeError as error:  # a set of what cannot be in one
            return self._wrong(path, format_value(str(error)))

    def _item(self, asks: Shape, given: Any, path: str) -> Any:
        if not _is_empty(asks, given):
            return self._value(asks, given, path)
        return None if asks.optional else self._missing(asks, path)

    def _missing(self, asks: Shape, path: str) -> Any:
        return self._wrong(path, f"is missing: give {described(asks)}")

    def _wrong(self, path: str, reason: str) -> Any:
        self.errors.setdefault(path, reason)
        return _WRONG


def _is_empty(asks: Shape, given: Any) -> bool:
    """Whether nothing was given. Blanks are a text, but no number, date or choice."""
    if not isinstance(given, str):
        return given is None
    takes_text = asks.atom in (None, str) or any(other.atom in (None, str) for other in asks.alternatives)
    return not given if takes_text and not asks.choices else not given.strip()


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unknown(cls: type, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{cls.__name__} has no field of this name{meant} (its fields: {', '.join(known) or 'none'})"
