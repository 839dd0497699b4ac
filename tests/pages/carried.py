"""A page as a test reads it: the run that it carries, put together from changes as the page does."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.widgets.page import page


def lab_of(model: ModuleType) -> Lab:
    """A lab at the end of a model's story."""
    lab = Lab(model, clock=ticking_clock())
    lab.send(*model.story())
    lab.resume()
    return lab


@cache
def recorded(model: ModuleType) -> tuple[Lab, dict[str, Any]]:
    """The same, and what its page carries. Making it takes seconds, so tests share it: none moves the lab."""
    lab = lab_of(model)
    return lab, carried(page(lab))


def carried(text: str) -> dict[str, Any]:
    """The run in a page."""
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', text)
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
