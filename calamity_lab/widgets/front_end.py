"""The widgets' front end: ES modules and style sheets beside this file, joined into one module and one sheet.

A widget's module is evaluated from a Blob, where an import of another file cannot be resolved. So Python puts
the modules behind each other, each after those that it imports, without their import and export statements.
Then they share one scope; a test holds that each top-level name is used once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from calamity_lab.views.chart import DEADLINES
from calamity_lab.views.lanes import AHEAD, FOLDED, LABEL, LEAST_GAP, MOST_LANES
from calamity_lab.views.looks import (
    COLOURS,
    DEADLINE_LINE,
    DRAWN_AS,
    IN_LANES,
    KINDS_OF_LANES,
    LOOKS,
    REACTIONS,
    SIGNS,
    Look,
)
from calamity_lab.views.scenes import BOX_HIGH, BOX_WIDE, NAME_ROOM
from calamity_lab.views.sequence_scene import GAP, NOTE, ROW

FOLDER = Path(__file__).parent
ENTRY = "entry.js"
LOOKS_FILE = "looks.js"
SHEETS = ("shared", "views")

IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
"""An import statement: the names, and the path from the module that imports."""

EXPORT = re.compile(r"^export (?=(?:async |function |class |const |let ))", re.MULTILINE)
"""What makes a declaration an export; `export default` stays, as the face of the whole."""

COMMENT = re.compile(r"^ */\*\*(?:(?!\*/).)*\*/\n|/\*\*.*?\*/ ?", re.MULTILINE | re.DOTALL)
"""A comment for the reader and the type checker; it would only make a widget larger."""


@cache
def script(*entries: str) -> str:
    """The modules that these modules need, and themselves, as the text of one module: the whole front end."""
    texts = (COMMENT.sub("", IMPORT.sub("", _read(name))) for name in modules(*entries))
    return "\n".join(EXPORT.sub("", text) for text in texts)


@cache
def sheet() -> str:
    """The style of all views."""
    own = "\n".join(_read(f"{name}.css") for name in SHEETS)
    return variables(".cl-root") + kinds() + own


def modules(*entries: str) -> tuple[str, ...]:
    """The modules that these modules need, and themselves, each after those that it imports."""
    imports: dict[str, list[str]] = {}
    waiting = list(entries or [ENTRY])
    while waiting:
        name = waiting.pop()
        if name not in imports:
            imports[name] = [_path(name, path) for _, path in IMPORT.findall(_read(name))]
            waiting += imports[name]
    return tuple(TopologicalSorter(imports).static_order())


def _path(importer: str, path: str) -> str:
    """The imported module's path from this folder."""
    return (FOLDER / importer).parent.joinpath(path).resolve().relative_to(FOLDER.resolve()).as_posix()


def _read(name: str) -> str:
    return looks_script() if name == LOOKS_FILE else (FOLDER / name).read_text(encoding="utf-8")


# The looks as the browser takes them: variables of a style sheet, and a constant of a script.

_FILLS = {"solid": "var(--kind)", "soft": "var(--kind-soft)", "empty": "var(--cl-paper)", "none": "none"}


def variables(selector: str) -> str:
    """The colours as variables of what the selector names, for both themes and for forced colours."""
    usual = "".join(f"  --cl-{name}: {_value(name)};\n" for name in COLOURS)
    forced = " ".join(f"--cl-{name}: {colour.forced};" for name, colour in COLOURS.items())
    return f"{selector} {{\n{usual}}}\n@media (forced-colors: active) {{ {selector} {{ {forced} }} }}\n"


def kinds() -> str:
    """A class for each kind and each status, which gives its colours to what is drawn in it."""
    return "".join([*map(_kind, LOOKS), *_statuses()])


def looks_script() -> str:
    """The looks as a constant of the front end."""
    looks = {
        "kinds": {
            kind: {"shape": look.shape, "word": look.word, "short": look.short}
            for kind, look in LOOKS.items()
        },
        "reactions": REACTIONS,
        "inLanes": IN_LANES,
        "kindsOfLanes": KINDS_OF_LANES,
        "drawnAs": DRAWN_AS,
        "signs": {
            name: {"word": sign.word, "line": sign.line, "outline": sign.outline}
            for name, sign in SIGNS.items()
        },
        "graph": {
            "boxWide": BOX_WIDE,
            "boxHigh": BOX_HIGH,
            "nameRoom": NAME_ROOM,
        },
        "sequence": {"row": ROW, "note": NOTE, "gap": GAP},
        "lanes": {
            "most": MOST_LANES,
            "folded": FOLDED,
            "leastGap": LEAST_GAP,
            "ahead": AHEAD,
            "label": LABEL,
            "deadline": {**DEADLINE_LINE, "ends": DEADLINES},
        },
    }
    return f"const LOOKS = {json.dumps(looks, indent=1)};\n"


def _value(name: str) -> str:
    colour = COLOURS[name]
    both = f"light-dark({colour.light}, {colour.dark})"
    return f"var({colour.host}, {both})" if colour.host else both


def _kind(kind: str) -> str:
    look = LOOKS[kind]
    return (
        f".cl-is-{kind.replace(' ', '-')} {{ --kind: var(--cl-{look.colour}); "
        f"--kind-soft: var(--cl-{look.soft}); --kind-fill: {_FILLS[look.fill]}; {_line(look)} }}\n"
    )


def _line(look: Look) -> str:
    dash, width = "2.5 2" if look.fill == "empty" else "none", 2.4 if look.fill == "none" else 1.4
    return f"--kind-dash: {dash}; --kind-line: {width};"


def _statuses() -> Iterator[str]:
    for name, sign in SIGNS.items():
        yield f".cl-status-{name.replace(' ', '-')} {{ --status: var(--cl-{sign.colour}); }}\n"
