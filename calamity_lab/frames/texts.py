"""Values as JSON and as text, for files that other programs read."""

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

from calamity_lab.kernel.fields import fields_of, is_record
from calamity_lab.kernel.recorded import RecordedEvent


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
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
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
