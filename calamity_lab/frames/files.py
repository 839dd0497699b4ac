"""Values as JSON and as text, frames as CSV and Arrow: for files that other programs read."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time
from decimal import Decimal
from enum import Enum
from numbers import Integral, Number, Rational, Real
from typing import Any

from calamity_lab.errors import MissingExtra
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.schema import field_names, fields_of, is_record


def json_lines(recorded: Sequence[RecordedEvent]) -> Iterator[str]:
    """One JSON object a line for each event, its fields under ``event``."""
    for entry in recorded:
        yield json.dumps(_line(entry), ensure_ascii=False, allow_nan=False) + "\n"


def as_json(value: Any) -> Any:
    """A value in JSON's own types.

    Records and mappings become objects, sequences and sets lists (a set's in order); an Enum's member is
    its name; times are in ISO 8601; numbers that JSON does not have (Decimal, NaN, infinities) and all else
    are texts, bytes in base 64.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.name if value.name is not None else str(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (Number, Decimal)):
        return _number(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return b64encode(value).decode()
    return _nested(value)


def _nested(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): as_json(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(map(as_json, value), key=json.dumps)
    if isinstance(value, (list, tuple)) and field_names(type(value)) is None:
        return [as_json(item) for item in value]
    if is_record(value):
        return {name: as_json(item) for name, item in fields_of(value).items()}
    return str(value)


def as_text(value: Any) -> str | None:
    """A value as the text of one cell: nested ones as JSON, others as they print; None stays None."""
    if value is None:
        return None
    plain = as_json(value)
    if isinstance(plain, (dict, list)):
        return json.dumps(plain, ensure_ascii=False)
    return plain if isinstance(plain, str) else str(value)


def _line(entry: RecordedEvent) -> dict[str, Any]:
    return {
        "position": entry.position,
        "stream_id": entry.stream_id,
        "stream_version": entry.stream_version,
        "event_type": entry.event_type,
        "event_id": entry.event_id,
        "correlation_id": entry.correlation_id,
        "causation_id": entry.causation_id,
        "recorded_at": as_json(entry.recorded_at),
        "metadata": as_json(entry.metadata),
        "event": as_json(fields_of(entry.event)),
    }


def _key(key: Any) -> str:
    plain = as_json(key)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _number(value: Any) -> Any:
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Rational) or not isinstance(value, Real):
        return str(value)  # a Fraction, a Decimal or a complex number would lose digits
    number = float(value)
    return number if math.isfinite(number) else str(number)


def csv_text(frame: Any) -> str:
    """A DataFrame as CSV: a heading, a line a row, nested values as JSON."""
    import pandas as pd

    columns = {
        name: pd.Series(list(map(as_text, column)), dtype=object) if column.dtype == object else column
        for name, column in frame.items()
    }
    return str(pd.DataFrame(columns, copy=False).to_csv(index=False, lineterminator="\n"))


def pyarrow(purpose: str) -> Any:
    """The pyarrow package, or an error that tells how to install it."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra(purpose, "pyarrow", "arrow") from error
    return pa


def arrow_table(frame: Any, purpose: str) -> Any:
    """A pandas DataFrame as an Arrow table.

    Columns of objects become the Arrow type that holds all of them (Decimal, date, bytes, lists of those);
    where there is none, as for records, texts: nested values as JSON, others as they print.
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
    """What pandas notes in a schema, so that it reads the same dtypes back."""
    return pa.Schema.from_pandas(frame.iloc[:0], preserve_index=False).metadata


def _objects(pa: Any, values: Sequence[Any]) -> Any:
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError):
        array = None
    if array is None or _keyed(pa, array.type):
        return pa.array([_encodable(as_text(value)) for value in values], type=pa.string())
    return array


def _keyed(pa: Any, kind: Any) -> bool:
    """Whether an Arrow type has fields of its own: the keys of dicts would be those of all the others too."""
    while pa.types.is_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_struct(kind))


def _encodable(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()
