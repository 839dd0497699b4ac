"""The lanes' columns as the front end keeps them: what `chart.js` does with what Python sends."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

OF_EVENTS, OF_STEPS, OF_CHANGES, OF_DEADLINES = GROUPS = (5, 6, 3, 5)

Charted = dict[str, Any]


def nothing() -> Charted:
    """A front end that got no message yet."""
    return {"columns": [[] for _ in range(sum(GROUPS))], "lanes": [], "names": []}


def taken(before: Charted, text: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> Charted:
    """A front end after a message: the kept part of each column, and the new items after it."""
    if not text:
        return before
    events, steps, lanes, names, changes, deadlines = text["kept"]
    kept = _each((events, steps, changes, deadlines))
    new = _columns(_bytes(text["columns"], buffers), text["count"])
    found = _bytes(text["lanes"], buffers)
    new_lanes = json.loads(zlib.decompress(found)) if isinstance(found, bytes) else found
    columns = [[*old[:upto], *behind] for old, upto, behind in zip(before["columns"], kept, new, strict=True)]
    assert all(len(old) >= upto for old, upto in zip(before["columns"], kept, strict=True)), (
        "it has that much"
    )
    return {
        "columns": columns,
        "lanes": [*before["lanes"][:lanes], *new_lanes],
        "names": [*before["names"][:names], *text["names"]],
    }


def unpacked(packed: bytes, count: Sequence[int]) -> list[list[int]]:
    """Reads what `packed` in columns.py writes, byte for byte as its docstring says."""
    whole, start, columns = zlib.decompress(packed), 0, []
    for length in _each(count):
        planes = [whole[start + byte * length : start + (byte + 1) * length] for byte in range(8)]
        doubled = [int.from_bytes(bytes(each), "little") for each in zip(*planes, strict=True)]
        columns.append(list(accumulate(-(each + 1) // 2 if each % 2 else each // 2 for each in doubled)))
        start += 8 * length
    assert start == len(whole), "nothing is left over"
    return columns


def _each(numbers: Sequence[int]) -> list[int]:
    """The number of each group, for each of its columns."""
    return [number for number, width in zip(numbers, GROUPS, strict=True) for _ in range(width)]


def _columns(text: Any, count: Sequence[int]) -> list[list[int]]:
    return unpacked(text, count) if isinstance(text, bytes) else text


def _bytes(text: Any, buffers: Sequence[bytes]) -> Any:
    return buffers[text["buffer"]] if isinstance(text, Mapping) else text
