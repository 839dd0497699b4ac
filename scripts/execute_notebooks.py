"""Run the tutorials and save their outputs: `python scripts/execute_notebooks.py [--check] [FILE ...]`.

Each tutorial runs from the top in a new kernel of this Python, in an empty folder. Whatever differs from run
to run is removed, so that running them again changes nothing. With `--check` the script writes nothing; it
prints the first output that has changed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import itertools
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from difflib import unified_diff
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from matplotlib.image import imread
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"

WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURE = "image/png"
STILL = "data-calamity-still"
TOKEN = re.compile(rf'{STILL}="[^"]*"')
SECONDS = 120
AT_ONCE = 2

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
# Newer kernels warn of an unencrypted port; this one is local and open for a few seconds.
# A progress bar comes only where a machine is slow.
NO_BARS = {"TQDM_DISABLE": "1"}
QUIET = "--IPKernelApp.log_level=ERROR"
# A picture that names the version of its library would change with every version.
INLINE = "--InlineBackend.print_figure_kwargs={'bbox_inches': 'tight', 'metadata': {'Software': None}}"


class ThisPython(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts the kernel."""
        words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", QUIET, INLINE]
        return KernelSpec(argv=words, display_name=KERNEL["display_name"], language=KERNEL["language"])


def tutorials() -> list[Path]:
    """The notebooks in the order of their numbers."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def read(path: Path) -> Any:
    """The notebook in a file."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def written(notebook: Any) -> str:
    """The text of the file of a notebook."""
    return str(nbformat.writes(notebook)) + "\n"  # type: ignore[no-untyped-call]


def ran(paths: Sequence[Path]) -> list[Any]:
    """The notebooks after running every cell, in the same order; a cell that raises ends the run."""

    async def run_all() -> list[Any]:
        turns = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(run_in_turn(path, turns) for path in paths))

    async def run_in_turn(path: Path, turns: asyncio.Semaphore) -> Any:
        async with turns:
            return await run(read(path))

    with ThreadPoolExecutor(1) as alone:  # the caller may have a running event loop
        return alone.submit(asyncio.run, run_all()).result()


async def run(notebook: Any) -> Any:
    """The notebook after running it in an empty folder, without the settings of the user's home."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "here"
        folder.mkdir()
        client = NotebookClient(
            notebook,
            kernel_manager_class=ThisPython,
            timeout=SECONDS,
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
        )
        env = {**os.environ, **settings(Path(name) / "home")}
        return await client.async_execute(env=env)


def settings(home: Path) -> dict[str, str]:
    """The environment of a kernel that has its settings in this folder, which is made, and so has none."""
    home.mkdir()
    (home / "matplotlibrc").touch()
    return {"IPYTHONDIR": str(home), "MATPLOTLIBRC": str(home / "matplotlibrc"), **NO_BARS}


def settled(notebook: Any, before: Any) -> Any:
    """A notebook without what differs from run to run; pictures that look the same stay the same."""
    notebook = deepcopy(notebook)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": LANGUAGE})  # type: ignore[no-untyped-call]
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(without_widget, cell.outputs) if output is not None]
            name_stills(cell.outputs, number)
    keep_pictures(notebook, before)
    return notebook


def without_widget(output: Any) -> Any:
    """An output without its live widget, which needs its kernel; None if nothing else is left."""
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]
        if not set(output.data) - {"text/plain"}:
            return None
    return output


def name_stills(outputs: Sequence[Any], number: int) -> None:
    """Name each still picture of a widget for its cell; no widget of a later kernel has such a name."""
    names = (f'{STILL}="cell-{number}-{place}"' for place in itertools.count(1))
    for output in outputs:
        shown = output.get("data", {}).get("text/html")
        if shown is not None:
            output.data["text/html"] = TOKEN.sub(lambda _: next(names), shown)


def keep_pictures(notebook: Any, before: Any) -> None:
    """Keep each earlier picture that looks the same, because another machine compresses it differently."""
    for cell, old in zip(notebook.cells, before.cells, strict=True):
        for output, was in zip(cell.get("outputs", ()), old.get("outputs", ()), strict=False):
            new_one, old_one = (each.get("data", {}).get(PICTURE) for each in (output, was))
            if new_one and old_one and look_the_same(new_one, old_one):
                output.data[PICTURE] = old_one


def look_the_same(one: str, other: str) -> bool:
    """Whether two pictures (base64) have one size, and differ in less than one of 200 pixels."""
    pixels, others = (imread(io.BytesIO(base64.b64decode(picture)), format="png") for picture in (one, other))
    if pixels.shape != others.shape:
        return False
    differ = (np.abs(pixels - others) > 0.1).any(axis=-1)
    return bool(differ.mean() < 1 / 200)


def difference(committed: Any, now: Any) -> str | None:
    """The first cell in which two notebooks differ, and the difference; None if they are the same."""
    for number, (old, new) in enumerate(zip(committed.cells, now.cells, strict=True)):
        found = list(unified_diff(lines(old), lines(new), "committed", "executed now", lineterm="", n=1))
        if found:
            first = new.source.splitlines()[0] if new.source else ""
            shown = "\n".join(line[:300] for line in found[:20])
            return f"cell {number} ({first}) shows something else:\n{shown}"
    if committed.metadata != now.metadata:
        return "the notebook's own metadata differ"
    return None


def lines(cell: Any) -> list[str]:
    """A cell as lines to compare, with one line per element of HTML."""
    return json.dumps(cell, ensure_ascii=False, indent=1, sort_keys=True).replace("><", ">\n<").splitlines()


def main(arguments: Sequence[str]) -> int:
    """Run, and write or check; the exit code is 1 if a cell raises or a check finds a difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "notebooks", nargs="*", type=Path, metavar="FILE", help="a tutorial; by default all of them"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; print the first difference")
    asked = parser.parse_args(arguments)
    paths = asked.notebooks or tutorials()
    reports = [
        report(path, notebook, check=asked.check) for path, notebook in zip(paths, ran(paths), strict=True)
    ]
    print("\n".join(f"{path.name}: {text}" for path, text in zip(paths, reports, strict=True)))
    return int(asked.check and set(reports) != {UNCHANGED})


UNCHANGED = "unchanged"


def report(path: Path, notebook: Any, *, check: bool) -> str:
    """What running a notebook changes; the result is written to its file, unless ``check`` is set."""
    before = read(path)
    now = settled(notebook, before)
    if check:
        return difference(before, now) or UNCHANGED
    text = written(now)
    if path.read_text(encoding="utf-8") == text:
        return UNCHANGED
    path.write_text(text, encoding="utf-8")
    return "written"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
