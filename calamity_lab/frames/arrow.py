"""Frames as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calamity_lab.errors import MissingExtra
from calamity_lab.frames.texts import as_text


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
