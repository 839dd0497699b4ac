"""A stand-in for the front end: it hears what a widget sends, keeps it as the page does, and asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any
from unittest.mock import patch

from calamity_lab.widgets import actions
from calamity_lab.widgets.patches import chart_patch, plain
from calamity_lab.widgets.view_widget import ViewWidget
from tests.widgets.charted import nothing, taken


class FrontEnd:
    """Connected to a widget; ``values`` is what the page would show, ``messages`` all that came."""

    part = 60.0
    """No move takes so many seconds: each is one answer."""

    def __init__(self, widget: ViewWidget, *, asks: bool = True) -> None:
        self.widget = widget
        self.messages: list[dict[str, Any]] = []
        self.values: dict[str, dict[str, Any]] = {}
        self._seq = count(1)
        widget.send = self._hear
        if asks:
            self.ask("ready")

    @classmethod
    def of_first(cls, widget: ViewWidget) -> FrontEnd:
        """What a page shows that has asked for nothing: what came with the widget."""
        page = cls(widget, asks=False)
        page._hear(widget.first, widget.first["buffers"])
        return page

    def ask(self, verb: str, **details: Any) -> dict[str, Any]:
        """Ask for something; the patch that answers it."""
        seq = next(self._seq)
        before = len(self.messages)
        with patch.object(actions, "PART", self.part):
            self.widget.hear({"verb": verb, "seq": seq, **details})
        answers = [message for message in self.messages[before:] if message.get("answers") == seq]
        assert len(answers) == 1, f"{verb} was answered {len(answers)} times"
        changes: dict[str, Any] = answers[0]["patch"]
        return changes

    def seen(self) -> None:
        """Tell that what came unasked was drawn."""
        self.widget.hear({"verb": "seen"})

    def _hear(self, content: dict[str, Any], buffers: Any = None) -> None:
        self.messages.append(content)
        for part, changed in content["patch"].items():
            if part == "chart":
                self.values[part] = taken(self.values.get(part, nothing()), changed, buffers or ())
                continue
            known = self.values.setdefault(part, {})
            whole = {name: self._whole(known.get(name), value) for name, value in changed.items()}
            known.update(whole)

    def expected(self) -> Any:
        """What the page must show: all that Python has in sight, as JSON knows it."""
        views = self.widget.contents.views()
        plainly = {part: plain(view) for part, view in views.items() if part != "chart"}
        charts = {
            part: taken(nothing(), chart_patch(view, None)) for part, view in views.items() if part == "chart"
        }
        return json.loads(json.dumps({**plainly, **charts}))

    @staticmethod
    def _whole(before: Any, value: Any) -> Any:
        if isinstance(value, Mapping) and "rows" in value:
            return [before[row] if isinstance(row, int) else row for row in value["rows"]]
        return value
