"""A page as a test reads it: the run that it carries, put together from changes as the page does."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Iterator
from typing import Any


def carried(page: str) -> dict[str, Any]:
    """The run in a page."""
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page)
    assert found
    run: dict[str, Any] = json.loads(zlib.decompress(b64decode(json.loads(found[1])["deflated"])))
    return run


def shown(run: dict[str, Any]) -> Iterator[dict[str, dict[str, Any]]]:
    """What is shown at each of the kept moments, by part and field."""
    parts: dict[str, dict[str, Any]] = {}
    for step in run["steps"]:
        for part, fields in step.items():
            view = dict(parts.get(part, {}))
            for name, change in fields.items():
                view[name] = unpacked(run["rows"], view.get(name), change)
            parts = {**parts, part: view}
        yield parts


def unpacked(rows: list[Any], before: Any, change: dict[str, Any]) -> Any:
    ((letter, value),) = change.items()
    if letter in "vo":
        return rows[value] if letter == "o" else value
    start, end, middle = value
    old = before if isinstance(before, list) else []
    fresh = [rows[number] for number in middle] if letter == "r" else middle
    return [*old[:start], *fresh, *old[len(old) - end :]]
