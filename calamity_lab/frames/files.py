"""The ways out of the lab that every table has: pandas, Arrow, Parquet, CSV, JSON Lines.

A new format is a method of `Exports`; below it, values become JSON and text, and frames become CSV and Arrow.
"""

from __future__ import annotations

import json
import math
import os
from abc import ABC, abstractmethod
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Number, Rational, Real
from typing import TYPE_CHECKING, Any

from calamity_lab.errors import InvalidValue, MissingExtra, repr_of, text_of
from calamity_lab.kernel.arguments import a_bool, a_path, refuse_unknown
from calamity_lab.kernel.schema import field_names, fields_of, is_record, spelled
from calamity_lab.text import format_value

if TYPE_CHECKING:
    from pandas import DataFrame

Path = str | os.PathLike[str]

_DEEPEST = 100  # levels; readers of JSON have limits of their own
_LENGTH = 1_000  # characters of a value that is nested deeper
_LARGE = 10**4000  # Python refuses to write out integers of more digits

# Valid in JSON, but many readers of JSON Lines take these for the end of a line.
_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})

# How a cell begins that a spreadsheet takes for a formula, also in the wide characters of East Asia.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Exports(ABC):
    """Rows that leave the lab in any of these formats; an export never changes them.

    A subclass gives the rows as a DataFrame, and as dicts for JSON Lines. An export that takes a path writes
    UTF-8.
    """

    __slots__ = ()

    @abstractmethod
    def to_pandas(self) -> DataFrame:
        """A DataFrame with one row per row; `History.to_pandas` says how values become columns."""

    @abstractmethod
    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row, with the values themselves."""

    def to_arrow(self, **unknown: Any) -> Any:
        """A ``pyarrow.Table`` with the columns of `to_pandas`; needs the extra ``arrow``.

        A column of objects that no Arrow type holds unchanged becomes text: JSON for values with parts.
        """
        refuse_unknown("to_arrow()", unknown, ())
        pyarrow("to_arrow()")
        return arrow_table(self.to_pandas(), "to_arrow()")

    def to_parquet(self, path: Path, **unknown: Any) -> None:
        """Write the table of `to_arrow` as a Parquet file; needs the extra ``arrow``."""
        refuse_unknown("to_parquet()", unknown, ("path",))
        pyarrow("to_parquet()")
        from pyarrow import parquet

        arrow = arrow_table(self.to_pandas(), "to_parquet()")
        _write("to_parquet", path, lambda target: parquet.write_table(arrow, target))

    def to_csv(
        self, path: Path | None = None, *, escape_formulas: bool = False, **unknown: Any
    ) -> str | None:
        """Write the columns of `to_pandas` as CSV; without a path, return the text.

        Records, lists and other values with parts are JSON. None, NaN and an empty text look alike, and so do
        1 and "1". A spreadsheet runs a text that begins with
        ``=``, ``+``, ``-``, ``@``, a tab or a carriage return as a formula. ``escape_formulas=True`` puts a
        ``'`` before such a text; numbers stay as they are. Use it for files that people open in a
        spreadsheet, and not for files that a program reads.
        """
        refuse_unknown("to_csv()", unknown, ("path", "escape_formulas"))
        escaped = a_bool("to_csv(escape_formulas)", escape_formulas)
        return _write_text("to_csv", path, [csv_text(self.to_pandas(), escape_formulas=escaped)])

    def to_json_lines(self, path: Path | None = None, **unknown: Any) -> str | None:
        """Write one JSON object per row and line; without a path, return the text.

        Times, with their offset from UTC, and durations are in ISO 8601. A Decimal is a text, and so is a
        float that JSON does not have. A member of an Enum is its value if all members have texts or all have
        whole numbers, else its name: the same as in a store.
        """
        refuse_unknown("to_json_lines()", unknown, ("path",))
        return _write_text("to_json_lines", path, map(json_line, self.rows()))


def _write_text(call: str, path: Path | None, chunks: Iterable[str]) -> str | None:
    if path is None:
        return "".join(chunks)

    def write(target: Path) -> None:
        with open(target, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:  # noqa: PTH123
            file.writelines(chunks)

    _write(call, path, write)
    return None


def _write(call: str, path: Path, write: Callable[[Path], object]) -> None:
    target = a_path(f"{call}(path)", path, f"{call}('history.out')")
    try:
        write(target)
    except (OSError, ValueError) as error:  # what Arrow says of a path is a ValueError
        why = str(getattr(error, "strerror", None) or error)[:200]  # Arrow repeats the path
        raise InvalidValue(
            f"{call}({repr_of(target)}) could not write: {why}. "
            "Give a file in a folder that exists and can be written to"
        ) from error


def json_line(row: Mapping[str, Any]) -> str:
    """A row as a line: a JSON object."""
    plain = {name: as_json(value) for name, value in row.items()}
    return f"{json.dumps(plain, ensure_ascii=False, allow_nan=False).translate(_LINE_ENDS)}\n"


def parts_of(value: Any) -> Any:
    """The fields of an event or a state, by name; the value itself if it can have none, as a number."""
    fields = {} if isinstance(value, Enum) else fields_of(value)
    return fields if fields or is_record(value) or isinstance(value, dict) else value


def as_json(value: Any, depth: int = 0) -> Any:
    """A value in the types that JSON has.

    Records and mappings become objects; sequences, sets, numpy arrays and columns of pandas become lists, a
    set's in order. Keys of a mapping become texts; where two would be the same text, the mapping is a list of
    pairs. A member of an Enum is what a store writes: its value if all members have texts or all have whole
    numbers, else its name. Times and durations are in ISO 8601, bytes in base 64. Numbers that JSON does not
    have (Decimal, NaN, infinities) become texts, what numpy and pandas have for a missing value becomes null,
    an exception its message, and everything else its text. What raises, or is nested deeper than so many
    levels, becomes a text too.
    """
    try:
        return _as_json(value, depth) if depth < _DEEPEST else format_value(value, _LENGTH)
    except Exception as error:  # noqa: BLE001 - what a model's class raises is shown in place of the value
        return f"<{type(value).__name__}, whose parts raised {type(error).__name__}>"


def _as_json(value: Any, depth: int) -> Any:
    library = type(value).__module__.partition(".")[0]
    if library in ("numpy", "pandas"):
        plain = _without_library(value, library)
        return text_of(value) if type(plain) is type(value) else _as_json(plain, depth)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return spelled(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (Number, Decimal)):
        return _number(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _iso_duration(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b64encode(value).decode()
    if isinstance(value, BaseException):
        return str(value) or type(value).__name__
    return _nested(value, depth + 1)


def _without_library(value: Any, library: str) -> Any:
    """A value of numpy or pandas in Python's own types, without a digit less."""
    if library == "pandas":
        if hasattr(value, "to_dict") and getattr(value, "ndim", 0) == 2:
            return value.to_dict("records")
        if str(value) in ("NaT", "<NA>"):
            return None
        if hasattr(value, "to_pytimedelta") and not value.nanoseconds:
            return value.to_pytimedelta()
        exact = getattr(value, "isoformat", None) or getattr(value, "tolist", None) or value.__str__
        return exact()
    kind = value.dtype.kind
    if getattr(value, "ndim", 0) and kind in "mMV":
        return list(value)
    if kind == "V" and value.dtype.names:
        return {name: value[name] for name in value.dtype.names}
    if kind not in "mM":
        return value.tolist()
    plain = value.tolist()
    # What Python's own types are too coarse for is a number here.
    return str(value) if isinstance(plain, int) or (kind == "M" and plain is not None) else plain


def _nested(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        pairs = [[as_json(key, depth), as_json(item, depth)] for key, item in value.items()]
        plain = {_key(key): item for key, item in pairs}
        return plain if len(plain) == len(pairs) else pairs
    if isinstance(value, AbstractSet):
        return _sorted([as_json(item, depth) for item in value])
    if isinstance(value, (list, tuple, deque)) and field_names(type(value)) is None:
        return [as_json(item, depth) for item in value]
    if is_record(value):
        return {name: as_json(item, depth) for name, item in fields_of(value).items()}
    return text_of(value)


def _sorted(items: list[Any]) -> list[Any]:
    """The items of a set in an order that is always the same: their own, or that of their JSON."""
    same = len(set(map(type, items))) == 1 and isinstance(items[0], (int, float, str))
    return sorted(items) if same else sorted(items, key=json.dumps)


def as_text(value: Any) -> str | None:
    """A value as the text of one cell: JSON if it has parts, else as it prints; None stays None."""
    plain = as_json(value)
    if plain is None:
        return None
    if isinstance(plain, (dict, list)):
        return json.dumps(plain, ensure_ascii=False)
    return plain if isinstance(plain, str) else text_of(plain if isinstance(value, Enum) else value)


def _iso_duration(value: timedelta) -> str:
    """A duration in ISO 8601, as the stores write it: ``P1DT30S``."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    seconds = f"{value.seconds}.{value.microseconds:06}".rstrip("0").rstrip(".")
    time = f"T{seconds}S" if value.seconds or value.microseconds else ""
    days = f"{value.days}D" if value.days or not time else ""
    return f"{sign}P{days}{time}"


def _key(plain: Any) -> str:
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _number(value: Any) -> Any:
    if isinstance(value, Integral):
        return int(value) if abs(int(value)) < _LARGE else format_value(int(value))
    if isinstance(value, Rational) or not isinstance(value, Real):
        return str(value)  # a Fraction, a Decimal or a complex number would lose digits
    number = float(value)
    return number if math.isfinite(number) else str(number)


def csv_text(frame: Any, *, escape_formulas: bool = False) -> str:
    """A DataFrame as CSV: a line of headings, then one line per row; values with parts are JSON."""
    import pandas as pd

    cell = _escaped if escape_formulas else as_text
    columns = {}
    for name, column in frame.items():
        values = column
        if column.dtype.kind == "m" or (escape_formulas and column.dtype.kind == "O"):
            values = column.astype(object).where(column.notna(), None)  # texts, labels and durations as well
        is_whole = values.dtype == object
        columns[cell(name)] = (
            pd.Series([cell(value) for value in values], dtype=object) if is_whole else values
        )
    texts = pd.DataFrame(columns, copy=False)
    found = str(texts.to_csv(index=False, lineterminator="\n"))
    # A carriage return in a text is only put in quotes where lines end with one.
    return str(texts.to_csv(index=False, lineterminator="\r\n")) if "\r" in found else found


def _escaped(value: Any) -> str | None:
    """A value as the text of one cell that a spreadsheet shows, and does not run as a formula."""
    cell = as_text(value)
    is_formula = cell is not None and cell.startswith(_FORMULAS) and not isinstance(value, (Number, Decimal))
    return f"'{cell}" if is_formula else cell


def pyarrow(purpose: str) -> Any:
    """The pyarrow package, or an error that says how to install it."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra(purpose, "pyarrow", "arrow") from error
    return pa


def arrow_table(frame: Any, purpose: str) -> Any:
    """A pandas DataFrame as an Arrow table.

    A column of objects gets the Arrow type that holds all of them unchanged (Decimal, date, bytes, lists of
    these). Where there is no such type, as for records, sets, or several types in one column, it becomes a
    column of texts: JSON for values with parts, others as they print.
    """
    pa = pyarrow(purpose)
    columns = {}
    for name in frame.columns:
        column = frame[name]
        columns[name] = (
            _objects(pa, column.tolist()) if column.dtype == object else pa.Array.from_pandas(column)
        )
    return pa.table(columns).replace_schema_metadata(_dtypes(pa, frame))


def _dtypes(pa: Any, frame: Any) -> Any:
    """The notes of pandas in a schema, by which it reads the same dtypes back."""
    return pa.Schema.from_pandas(frame.iloc[:0], preserve_index=False).metadata


def _objects(pa: Any, values: Sequence[Any]) -> Any:
    with suppress(Exception):  # what Arrow cannot hold, and what a model's class raises, becomes text
        if _are_alike(values):
            array = pa.array(values)
            if not pa.types.is_decimal256(array.type):  # which few other programs read
                return array
    return pa.array([_encodable(as_text(value)) for value in values], type=pa.string())


def _are_alike(values: Sequence[Any]) -> bool:
    """Whether one Arrow type has all the values, and distinguishes them as Python does."""
    return _kind_of_all(values) != _NO_KIND


def _kind_of_all(values: Iterable[Any]) -> str:
    """The one kind of all the values, empty where there are none; `_NO_KIND` where they have several."""
    kinds = {_arrow_kind(value) for value in values} - {""}
    return max(kinds, default="") if len(kinds) <= 1 or kinds in _ALIKE else _NO_KIND


_NO_KIND = "none"
_ALIKE = ({"int", "float"}, {"int", "Decimal"})


def _arrow_kind(value: Any) -> str:
    """The kind of Arrow values that a value becomes; `_NO_KIND` where Arrow would lose something of it."""
    if value is None:
        return ""
    if isinstance(value, (Enum, Mapping, AbstractSet)) or field_names(type(value)) is not None:
        return _NO_KIND
    if isinstance(value, (list, tuple)):
        kind = _kind_of_all(value)
        return kind if kind == _NO_KIND else f"list of {kind}" if value else ""
    if isinstance(value, Decimal):
        return "Decimal" if value.is_finite() else _NO_KIND
    if isinstance(value, (datetime, timedelta)) and getattr(value, "nanosecond", 0) + getattr(
        value, "nanoseconds", 0
    ):
        return _NO_KIND
    if isinstance(value, datetime):
        return "local time" if value.utcoffset() is None else "time"
    if isinstance(value, time) and value.tzinfo is not None:
        return _NO_KIND
    return type(value).__name__


def _encodable(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()
