"""The widgets' front end: ES modules and style sheets beside this file, joined into one module and one sheet.

A widget's module is evaluated from a Blob, where an import of another file cannot be resolved. So Python puts
the modules behind each other, each after those that it imports, without their import and export statements.
Then they share one scope; a test holds that each top-level name is used once.
"""

from __future__ import annotations

import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from calamity_lab.widgets import style

FOLDER = Path(__file__).parent
ENTRY = "entry.js"
LOOKS = "looks.js"
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
    return style.variables(".cl-root") + style.kinds() + own


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
    return style.script() if name == LOOKS else (FOLDER / name).read_text(encoding="utf-8")
