"""Runs the tutorials and keeps what they show: `python scripts/execute_notebooks.py [--check] [FILE ...]`.

Each runs from its top in a fresh kernel of this Python, in an empty folder. What differs from run to run is
taken out, so that running them again changes nothing. With `--check` nothing is written: the first place
where a tutorial shows something else than it did is told.
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
# Newer kernels warn of an unencrypted port; it is one of this machine, for some seconds.
QUIET = "--IPKernelApp.log_level=ERROR"
# A picture that tells which version drew it would change with every version.
INLINE = "--InlineBackend.print_figure_kwargs={'bbox_inches': 'tight', 'metadata': {'Software': None}}"


class ThisPython(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How the kernel is started."""
        words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", QUIET, INLINE]
        return KernelSpec(argv=words, display_name=KERNEL["display_name"], language=KERNEL["language"])


def tutorials() -> list[Path]:
    """The notebooks in the order of their numbers."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def read(path: Path) -> Any:
    """A notebook as it lies there."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def written(notebook: Any) -> str:
    """The text of a notebook's file."""
    return str(nbformat.writes(notebook)) + "\n"  # type: ignore[no-untyped-call]


def ran(paths: Sequence[Path]) -> list[Any]:
    """The notebooks as they are after running every cell, in the same order; a cell that raises ends it."""

    async def run_all() -> list[Any]:
        turns = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(run_in_turn(path, turns) for path in paths))

    async def run_in_turn(path: Path, turns: asyncio.Semaphore) -> Any:
        async with turns:
            return await run(read(path))

    with ThreadPoolExecutor(1) as alone:  # whoever calls this may have an event loop running
        return alone.submit(asyncio.run, run_all()).result()


async def run(notebook: Any) -> Any:
    """The notebook after running it in a folder of its own, where nothing of the user's home reaches it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        home, folder = Path(name) / "home", Path(name) / "here"
        home.mkdir()
        folder.mkdir()
        (home / "matplotlibrc").touch()
        client = NotebookClient(
            notebook,
            kernel_manager_class=ThisPython,
            timeout=SECONDS,
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
        )
        env = {**os.environ, "IPYTHONDIR": str(home), "MATPLOTLIBRC": str(home / "matplotlibrc")}
        return await client.async_execute(env=env)


def settled(notebook: Any, before: Any) -> Any:
    """A notebook without what differs from run to run; pictures that look as before stay as they were."""
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
    """An output without its live widget, which only its kernel can draw; None if there was nothing else."""
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]
        if not set(output.data) - {"text/plain"}:
            return None
    return output


def name_stills(outputs: Sequence[Any], number: int) -> None:
    """Name each still picture of a widget for its cell: no widget of a later kernel is called so."""
    names = (f'{STILL}="cell-{number}-{place}"' for place in itertools.count(1))
    for output in outputs:
        shown = output.get("data", {}).get("text/html")
        if shown is not None:
            output.data["text/html"] = TOKEN.sub(lambda _: next(names), shown)


def keep_pictures(notebook: Any, before: Any) -> None:
    """Take over the pictures that were there and look the same; another machine packs them otherwise."""
    for cell, old in zip(notebook.cells, before.cells, strict=True):
        for output, was in zip(cell.get("outputs", ()), old.get("outputs", ()), strict=False):
            new_one, old_one = (each.get("data", {}).get(PICTURE) for each in (output, was))
            if new_one and old_one and look_the_same(new_one, old_one):
                output.data[PICTURE] = old_one


def look_the_same(one: str, other: str) -> bool:
    """Whether two pictures (base64) are of one size, and differ in fewer than one of 200 pixels."""
    pixels, others = (imread(io.BytesIO(base64.b64decode(picture)), format="png") for picture in (one, other))
    if pixels.shape != others.shape:
        return False
    differ = (np.abs(pixels - others) > 0.1).any(axis=-1)
    return bool(differ.mean() < 1 / 200)


def difference(committed: Any, now: Any) -> str | None:
    """The first cell in which two notebooks differ, and how; None where there is none."""
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
    """A cell as text to compare, with a line for each element of HTML."""
    return json.dumps(cell, ensure_ascii=False, indent=1, sort_keys=True).replace("><", ">\n<").splitlines()


def main(arguments: Sequence[str]) -> int:
    """Run, and write or check; the exit code is 1 where a cell raises or a check finds a difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="FILE", help="all, if none is named")
    parser.add_argument("--check", action="store_true", help="write nothing; tell the first difference")
    asked = parser.parse_args(arguments)
    paths = asked.notebooks or tutorials()
    told = [tell(path, notebook, check=asked.check) for path, notebook in zip(paths, ran(paths), strict=True)]
    print("\n".join(f"{path.name}: {text}" for path, text in zip(paths, told, strict=True)))
    return int(asked.check and set(told) != {UNCHANGED})


UNCHANGED = "unchanged"


def tell(path: Path, notebook: Any, *, check: bool) -> str:
    """What running a notebook changes; written to its file, unless it is only to be checked."""
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
