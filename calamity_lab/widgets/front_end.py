"""The widgets' front end: plain ES-module texts, each beside its Python, joined into one module.

A widget's module is evaluated from a Blob, where imports between files cannot be resolved; so the files
share one scope, and each of their top-level names is used once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from calamity_lab.widgets import style

FOLDER = Path(__file__).parent
VIEWS = (
    "controls",
    "search",
    "agenda",
    "form",
    "state",
    "timeline",
    "timeline_parts",
    "process_graph",
    "sequence",
    "events",
)
FRAME = ("play", "height", "drawer")
LANES = ("chart", "span", "lanes", "marks", "lane_list")
GRAPH = ("standings", "process_nodes")
SCRIPTS = (
    "kit",
    "messages",
    "keyboard",
    "field_history",
    "picked",
    "reach",
    *FRAME,
    *LANES,
    *GRAPH,
    *VIEWS,
    "composite",
    "entry",
)
SHEETS = ("kit", *FRAME, *(view for view in VIEWS if view != "timeline_parts"), "composite")


@cache
def script() -> str:
    """The whole front end as the text of one ES module."""
    return style.script() + _joined(SCRIPTS, ".js")


@cache
def sheet() -> str:
    """The style of all views."""
    return style.variables(".cl-root") + style.kinds() + _joined(SHEETS, ".css")


def _joined(names: tuple[str, ...], suffix: str) -> str:
    return "\n".join((FOLDER / name).with_suffix(suffix).read_text(encoding="utf-8") for name in names)
