"""Words for people: any value as text or as code, counts and articles, and text as HTML.

A text is data. Only ``escape_html``, ``escape_xml`` and ``html_table`` know markup, and no other module
of the package escapes; every other function here returns plain text, to be escaped where it becomes markup.
"""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from html import escape
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.arguments import are_equal, is_a
from calamity_lab.kernel.recorded import Metadata
from calamity_lab.kernel.schema import arguments_of, field_names, fields_of, is_message_class

NOTHING = "–"
"""How a missing value is written."""

_DEEPEST = 6
# Python refuses to write out integers of more digits; nobody reads them either.
_LONGEST_INT = 10**4000
_MOST_ZEROS = 20
# Characters that turn the direction of the text that follows them.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TABLE = "border-collapse:collapse;font-size:90%"
_CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top;border-bottom:1px solid #8884"


def _whole(value: int) -> str:
    if -_LONGEST_INT < value < _LONGEST_INT:
        return str(value)
    return f"a whole number of {value.bit_length():,} bits"


def _decimal(value: Decimal) -> str:
    """The number as people write it: with an exponent only where there would be a row of zeros otherwise."""
    short = (
        value.is_finite()
        and abs(value.adjusted()) <= _MOST_ZEROS
        and int(value.as_tuple().exponent) >= -_MOST_ZEROS
    )
    return f"{value:f}" if short else str(value)


def _duration(value: timedelta) -> str:
    """The length of time with its sign: Python would write "-1 day, 23:59:59" for minus one second."""
    return f"-{-value}" if value < timedelta(0) else str(value)


_UNITS = ((86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min"), (1, "s", "s"))


def length_of_time(value: timedelta) -> str:
    """A length of time in its two largest units, as in "15 min", "1 day 2 h" and "0.5 s"."""
    seconds = abs(value).total_seconds()
    if seconds < 60:
        return f"{seconds:.3g} s"
    left, words = round(seconds), list[str]()
    for size, one, more in _UNITS:
        count, left = divmod(left, size)
        if count:
            words.append(f"{count:,} {one if count == 1 else more}")
        elif words:
            break
    return " ".join(words[:2])


def point_in_time(value: datetime) -> str:
    """A time in UTC, as in "2026-01-01 00:15:00 UTC"."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def how_far_off(value: datetime, now: datetime) -> str:
    """How far a time is from now, as in "in 15 min", "now" and "2 h ago"."""
    if value == now:
        return "now"
    length = length_of_time(value - now)
    return f"in {length}" if value > now else f"{length} ago"


# Formats for the types that most fields have; a subclass is not looked up here.
_PLAIN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: NOTHING,
    str: repr,
    int: _whole,
    bool: str,
    float: repr,
    Decimal: _decimal,
    date: str,
    time: str,
    timedelta: _duration,
    UUID: str,
    datetime: lambda value: value.isoformat(sep=" "),
}


def format_value(value: Any, length: int | None = None) -> str:
    """Any value as text: a string as it is, an enum member by name, None as a dash, a record by its fields.

    Inside other values strings are quoted, so that they differ from names and numbers. With ``length`` the
    text is cut at that length, and costs no more than a text of that length.
    """
    return _cut((value,) if type(value) is str else _top(value), length)


def format_fields(message: Any, length: int | None = None) -> str:
    """The fields of a message without its name, as in ``account_id='alice', amount=100``."""
    fields = fields_of(message)
    return _cut(_joined(_named(fields.items(), 0)), length)


def plain_sentence(text: str, length: int | None = None) -> str:
    """A sentence that contains texts of a model, with characters that turn the writing direction escaped.

    Such a character would turn the words of the sentence, too.
    """
    return format_value(_TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", text), length)


def plural(count: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun, as in "1 event" and "1,200 events"; an irregular plural is given."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def escape_html(text: str) -> str:
    """A text for HTML, in an element or in a quoted attribute."""
    return escape(text)


def escape_xml(text: str) -> str:
    """A text for SVG and other XML: escaped, with a box for each character that XML does not allow."""
    return escape(_NOT_XML.sub("▯", text))


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """A table in HTML with a caption above it; every text is escaped. Its colours are those around it."""
    head = "".join(f'<th scope="col" style="{_CELL}">{escape_html(heading)}</th>' for heading in headings)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape_html(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    above = f'<div style="padding:2px 0">{escape_html(caption)}</div>' if caption else ""
    return f'{above}<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cut(parts: Iterable[str], length: int | None) -> str:
    taken, size = [], 0
    for part in parts:
        taken.append(part)
        size += len(part)
        if length is not None and size > length:
            break
    text = "".join(taken)
    if length is not None and len(text) > length:
        text = f"{text[: max(length - 1, 0)]}…"
    return _sound(text)


def _sound(text: str) -> str:
    """The text without lone surrogates, which cannot be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _top(value: Any) -> Iterator[str]:
    if is_a(value, str) and not is_a(value, Enum):
        yield str.__str__(value)
    else:
        yield from _parts(value, 0)


def _parts(value: Any, depth: int) -> Iterator[str]:
    """The text of a value in pieces, so that a long one need not be written out before it is cut.

    Only the type of the value is trusted: its own methods may raise anything, and then the text says so.
    """
    plain = _PLAIN.get(type(value))
    if plain is not None:
        yield plain(value)
        return
    try:
        yield from _pieces(value, depth)
    except Exception as error:  # noqa: BLE001 - what a model's class raises is shown in the text
        yield f"<{type(value).__name__}, whose parts raised {type(error).__name__}>"


def _pieces(value: Any, depth: int) -> Iterator[str]:
    if is_a(value, Enum):
        yield _enum(value)
    elif is_a(value, type):
        yield str(type.__dict__["__name__"].__get__(value))
    elif _is_plain_record(value):
        yield from _record(value, depth)
    elif is_a(value, Mapping, list, tuple, set, frozenset):
        yield from _container(value, depth)
    else:
        yield repr_of(value, None)


def _enum(value: Enum) -> str:
    return str(value.name or value.value)  # a combination of flags may have no name


def _is_plain_record(value: Any) -> bool:
    """Whether fields say more than the repr: an object's default repr is only its address."""
    cls = type(value)
    return field_names(cls) is not None or (_has_no_repr(cls) and hasattr(value, "__dict__"))


def _has_no_repr(cls: type) -> bool:
    return next(base for base in cls.__mro__ if "__repr__" in vars(base)) is object


def _record(value: Any, depth: int) -> Iterator[str]:
    fields = {} if depth >= _DEEPEST else fields_of(value)
    yield f"{type(value).__name__}("
    if depth >= _DEEPEST:
        yield "…"
    else:
        yield from _joined(_named(fields.items(), depth))
    yield ")"


def _container(value: Any, depth: int) -> Iterator[str]:
    opening, closing = _brackets(value)
    # Asked before the bracket is written: an object that raises here is shown instead.
    items = iter(value.items() if is_a(value, Mapping) else value)
    yield opening
    if depth >= _DEEPEST:
        yield "…"
    elif is_a(value, Mapping):
        yield from _joined(_entries(items, depth))
    elif is_a(value, set, frozenset):
        # A set has no order of its own; the same set must have the same text.
        yield from _joined(
            iter([text]) for text in sorted("".join(_parts(item, depth + 1)) for item in items)
        )
    else:
        yield from _joined(_parts(item, depth + 1) for item in items)
        if is_a(value, tuple) and tuple.__len__(value) == 1:
            yield ","
    yield closing


def _brackets(value: Any) -> tuple[str, str]:
    if is_a(value, tuple):
        return "(", ")"
    return ("[", "]") if is_a(value, list) else ("{", "}")


def _named(fields: Iterable[tuple[str, Any]], depth: int) -> Iterator[Iterator[str]]:
    for name, value in fields:
        yield _pair(f"{name}=", value, depth)


def _entries(items: Iterable[tuple[Any, Any]], depth: int) -> Iterator[Iterator[str]]:
    for key, item in items:
        yield _pair(f"{''.join(_parts(key, depth + 1))}: ", item, depth)


def _pair(name: str, value: Any, depth: int) -> Iterator[str]:
    yield name
    yield from _parts(value, depth + 1)


def _joined(items: Iterable[Iterator[str]]) -> Iterator[str]:
    for n, item in enumerate(items):
        if n:
            yield ", "
        yield from item


_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Call:
    """A piece of code with parts, on one line or on several: a call, or a list."""

    opening: str
    parts: tuple[str | Call | Chain, ...]
    closing: str = ")"
    tail: str = ""  # stands behind the last part where all is on one line

    def __str__(self) -> str:
        return f"{self.opening}{', '.join(map(str, self.parts))}{self.tail}{self.closing}"


@dataclass(frozen=True, slots=True)
class Chain:
    """Calls on what the call before returns, as in ``given(...).when(...)``."""

    calls: tuple[Call, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.calls))


def code_lines(code: str | Call | Chain, width: int = _WIDTH) -> Iterator[str]:
    """The lines of a piece of code; one that is too long has each part on lines of its own."""
    text = str(code)
    if isinstance(code, str) or len(text) <= width:
        yield from text.split("\n")
        return
    if isinstance(code, Call):
        yield from _broken(code, width)
        return
    lines = [""]
    for n, call in enumerate(code.calls):
        # The first call is broken in any case; a short one behind it stays whole.
        first, *rest = code_lines(call, width) if n else _broken(call, width)
        lines = [*lines[:-1], lines[-1] + first, *rest]
    yield from lines


def _broken(call: Call, width: int) -> Iterator[str]:
    """The lines of a call with each part on lines of its own."""
    if not call.parts:
        yield str(call)
        return
    yield call.opening
    for part in call.parts:
        *lines, last = code_lines(part, width - 5)
        yield from (f"    {line}" for line in (*lines, f"{last},"))
    yield call.closing


class Source:
    """Writes values as the Python code that makes them, and keeps the imports which that code needs.

    Raises `InvalidValue` for a value of which the code is not known.
    """

    def __init__(self) -> None:
        self._modules: dict[str, str] = {}

    def imports(self) -> list[str]:
        """The import statements, in order; a class of a notebook, or inside a function, has none."""
        names: dict[str, list[str]] = {}
        for name, module in self._modules.items():
            if module not in ("__main__", "builtins"):
                names.setdefault(module, []).append(name)
        modules = sorted(
            names, key=lambda name: (name.partition(".")[0] not in sys.stdlib_module_names, name)
        )
        lines = [(f"from {module} import ", tuple(sorted(names[module]))) for module in modules]
        return [
            line
            for start, listed in lines
            for line in (
                _broken(Call(f"{start}(", listed), _WIDTH)
                if len(start) + len(", ".join(listed)) > _WIDTH
                else [f"{start}{', '.join(listed)}"]
            )
        ]

    def at_home(self) -> list[str]:
        """The names that no import gives, since their classes were defined in a notebook."""
        return sorted(name for name, module in self._modules.items() if module == "__main__")

    def name(self, cls: Any) -> str:
        """The name of a class or function in the code."""
        outer: str = cls.__qualname__.rpartition("<locals>.")[2]
        name = outer.partition(".")[0]
        module: str = "__main__" if "<locals>" in cls.__qualname__ else cls.__module__
        if module.startswith(_PRIVATE) and name in getattr(sys.modules.get(_FACE), "__all__", ()):
            module = _FACE
        if self._modules.setdefault(name, module) != module:
            raise InvalidValue(
                f"two classes named {name}, of {self._modules[name]} and of {module}, cannot be in one piece "
                "of code"
            )
        return outer

    def module(self, module: str) -> str:
        """The name of a module in the code."""
        home, _, name = module.rpartition(".")
        self._modules[name] = home or "builtins"
        return name

    def value(self, value: Any) -> str | Call:
        """The code that makes that value."""
        cls = type(value)
        if cls in _LITERAL:
            return repr(value)
        if cls is str:
            return _quoted(value)
        if isinstance(value, type):
            return self.name(value)
        if isinstance(value, Enum):
            return self._enum(value)
        if cls in _SOURCES:
            return _SOURCES[cls](self, value)
        if cls in _ENDS or cls is Metadata:
            return self._container(value)
        if is_message_class(cls):
            return self._record(value)
        raise InvalidValue(
            f"the code that makes {repr_of(value, 80)} ({cls.__module__}.{cls.__qualname__}) is not known"
        )

    def call(self, opening: str, given: Iterable[Any], named: Mapping[str, Any] = {}) -> Call:
        """The code of a call with these values."""
        parts = [self.value(each) for each in given]
        parts += [_with(f"{name}=", self.value(each)) for name, each in named.items()]
        return Call(f"{opening}(", tuple(parts))

    def _enum(self, value: Enum) -> str | Call:
        name, members = self.name(type(value)), type(value).__members__
        return f"{name}.{value.name}" if value.name in members else self.call(name, [value.value])

    def _container(self, value: Any) -> str | Call:
        opening, closing, empty = _ENDS.get(type(value), _ENDS[dict])
        if not value:
            return empty
        if isinstance(value, dict):
            parts = [_with(f"{self.value(key)}: ", self.value(item)) for key, item in value.items()]
        else:
            parts = [self.value(item) for item in value]
            parts = sorted(parts, key=str) if isinstance(value, (set, frozenset)) else parts
        tail = "," if opening == "(" and len(parts) == 1 else ""
        return Call(opening, tuple(parts), closing, tail)

    def _record(self, value: Any) -> Call:
        """A constructor call: what must be given by position, and else what is not as it is by default."""
        cls = type(value)
        held = fields_of(value)
        by_name = {
            each.name for each in inspect.signature(cls).parameters.values() if each.kind is each.KEYWORD_ONLY
        } | ({*held} if any(field.argument != field.name for field in arguments_of(cls)) else set())
        given: list[Any] = []
        named: dict[str, Any] = {}
        for field in arguments_of(cls):
            if field.name not in held:
                if field.required:
                    raise InvalidValue(
                        f"{cls.__name__} does not keep what its constructor takes as {field.argument}"
                    )
                continue
            part, default = held[field.name], field.made_default()
            if not field.required and type(part) is type(default) and are_equal(part, default):
                continue
            if field.argument in by_name or not field.required:
                named[field.argument] = part
            else:
                given.append(part)
        return self.call(self.name(cls), given, named)


_FACE, _PRIVATE = "calamity_lab", "calamity_lab.kernel."
_LITERAL = (type(None), bool, int, bytes)
_ENDS: dict[type, tuple[str, str, str]] = {
    list: ("[", "]", "[]"),
    tuple: ("(", ")", "()"),
    dict: ("{", "}", "{}"),
    set: ("{", "}", "set()"),
    frozenset: ("frozenset({", "})", "frozenset()"),
}


def _with(start: str, code: str | Call) -> str | Call:
    if isinstance(code, str):
        return f"{start}{code}"
    return replace(code, opening=f"{start}{code.opening}")


def _quoted(text: str) -> str:
    """The text as a literal, in double quotes where it has none."""
    written = repr(text)
    return written if '"' in text else f'"{written[1:-1]}"'


def _float(source: Source, value: float) -> str | Call:
    return repr(value) if math.isfinite(value) else source.call("float", [repr(value)])


def _moment(source: Source, value: datetime | date | time) -> str | Call:
    parts: tuple[int, ...]
    if isinstance(value, datetime):
        parts = (*tuple(value.timetuple())[:6], value.microsecond)
    elif isinstance(value, time):
        parts = (value.hour, value.minute, value.second, value.microsecond)
    else:
        parts = (value.year, value.month, value.day)
    least = 2 if isinstance(value, time) else 3
    while len(parts) > least and not parts[-1]:
        parts = parts[:-1]
    zone = getattr(value, "tzinfo", None)
    named = {**({"tzinfo": zone} if zone else {}), **({"fold": 1} if getattr(value, "fold", 0) else {})}
    return source.call(source.name(type(value)), parts, named)


def _length(source: Source, value: timedelta) -> str | Call:
    parts = {"days": value.days, "seconds": value.seconds, "microseconds": value.microseconds}
    return source.call(source.name(timedelta), (), {name: n for name, n in parts.items() if n})


def _zone(source: Source, value: timezone) -> str | Call:
    if value is UTC:
        source._modules["UTC"] = "datetime"
        return "UTC"
    return source.call(source.name(timezone), [value.utcoffset(None)])


_SOURCES: dict[type, Callable[[Source, Any], str | Call]] = {
    float: _float,
    datetime: _moment,
    date: _moment,
    time: _moment,
    timedelta: _length,
    timezone: _zone,
    ZoneInfo: lambda source, value: source.call(source.name(ZoneInfo), [value.key]),
    Decimal: lambda source, value: source.call(source.name(Decimal), [str(value)]),
    Fraction: lambda source, value: source.call(source.name(Fraction), [value.numerator, value.denominator]),
    UUID: lambda source, value: source.call(source.name(UUID), [str(value)]),
}
