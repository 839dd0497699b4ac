"""One file that shows a whole run: no kernel, no server, no network, nothing beside it."""

from __future__ import annotations

import json
import os
import zlib
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.arguments import a_path, a_text_or_none
from calamity_lab.text import escape_html, format_value, plural
from calamity_lab.widgets import front_end
from calamity_lab.widgets.contents import Contents, LabHandle
from calamity_lab.widgets.page import recording
from calamity_lab.widgets.stills import still

FOLDER = Path(__file__).parent
TITLE = "A recorded run"
_USE = "To step through the run, allow this page to run its script."


def to_html(lab: LabHandle, path: str | os.PathLike[str], title: str | None = None) -> Path:
    """Write the page of a lab's run; the file's path."""
    target = _target(path)
    title = a_text_or_none("to_html(title)", title, "title='A transfer'")
    text = page(lab, title or TITLE)
    try:
        target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InvalidValue(
            f"to_html({repr_of(str(target))}) could not write: {error.strerror or error}; "
            "name a file in a folder that exists and may be written to"
        ) from error
    return target


def page(lab: LabHandle, title: str = TITLE) -> str:
    """The page of a lab's run as a text: the same for the same run, wherever and whenever it is made."""
    recorded, script = recording.recording(lab), _script()
    name = escape_html(format_value(title))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="calamity_lab">
<title>{name}</title>
<style>
{_sheet()}
</style>
</head>
<body>
<header class="cl-page-head">
<h1>{name}</h1>
<p>{escape_html(_summary(lab, recorded))}</p>
</header>
<main id="lab"></main>
<div id="still">{still("lab", "page", Contents(lab, ()), _USE)}</div>
<script type="application/json" id="run">{_packed(recorded)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(a_path("to_html(path)", path, "to_html('run.html')"))
    if os.path.isdir(target):  # noqa: PTH112 - a Path raises for a name that is too long
        raise InvalidValue(f"to_html({str(target)!r}): that is a folder; name a file in it, as in 'run.html'")
    return target


def _policy(script: str) -> str:
    """What the page may do: run this very script, and draw. It can ask nobody for anything."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _summary(lab: LabHandle, recorded: dict[str, Any]) -> str:
    """What the page has, in a sentence or two."""
    trace, moments = lab.stepper.trace, recorded["moments"]
    about = f"{plural(len(trace), 'moment')}, {plural(len(trace.index.events), 'event')}"
    if len(trace.branches) > 1:
        about = f"{about}, branch “{format_value(trace.branch.name)}”, one of {len(trace.branches)}"
    if len(moments) < len(trace):
        about = f"{about}; the page keeps {plural(len(moments), 'moment')}, each at the end of a command"
    return f"{about}. Read-only recording. To send commands, open the run in a notebook."


def _packed(recorded: dict[str, Any]) -> str:
    """A recording as a text that fits into a page: compressed, which also leaves no markup in it."""
    text = json.dumps(recorded, separators=(",", ":"), allow_nan=False)
    # Not gzip, whose head has a time and a machine.
    return json.dumps({"deflated": b64encode(zlib.compress(text.encode(), 9)).decode()})


@cache
def _script() -> str:
    """The widgets' front end, and the substitute for Python."""
    return f"\n{front_end.script('page/page.js')}\n"


@cache
def _sheet() -> str:
    own = (FOLDER / "page.css").read_text(encoding="utf-8")
    return f"{front_end.variables(':root')}{front_end.sheet()}\n{own}"
