"""Open JupyterLab on the first tutorial: `python -m scripts.open_lab [options of jupyter lab]`.

It opens copies, in `playground/`, where notebooks of one's own may lie too: running a tutorial leaves the
one in `notebooks/` as it is.

It keeps JupyterLab's and IPython's settings in the project's own `.jupyter`, so that whatever stands in the
user's home (another kernel called python3, a start-up script, an extension that fails) changes nothing here.
"""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
NEWS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


def settings(folder: Path) -> dict[str, str]:
    """The environment in which Jupyter keeps its settings in this folder, and does not ask about news."""
    answer = folder / "config" / "lab" / "user-settings" / NEWS
    if not answer.exists():
        answer.parent.mkdir(parents=True, exist_ok=True)
        answer.write_text('{"fetchNews": "false", "checkForUpdates": false}\n', encoding="utf-8")
    return {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        # The kernel called python3 is the one of this environment.
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


def lay_out(notebooks: Path, playground: Path) -> list[str]:
    """Copy the tutorials to the playground; a copy that somebody has changed stays as it is."""
    playground.mkdir(exist_ok=True)
    list_ = playground / ".laid-out.json"
    laid_out = json.loads(list_.read_text(encoding="utf-8")) if list_.exists() else {}
    names = []
    for tutorial in sorted(notebooks.glob("*.ipynb")):
        name, copy, text = tutorial.name, playground / tutorial.name, tutorial.read_bytes()
        if not copy.exists() or sha256(copy.read_bytes()).hexdigest() == laid_out.get(name):
            copy.write_bytes(text)
            laid_out[name] = sha256(text).hexdigest()
        names.append(name)
    list_.write_text(json.dumps(laid_out, indent=1), encoding="utf-8")
    return names


def command(arguments: list[str]) -> list[str]:
    """The command line of JupyterLab, which opens the first tutorial in the folder of all tutorials."""
    root = ROOT / "playground"
    tutorials = lay_out(ROOT / "notebooks", root)
    # Jupyter refuses to run as root unless told to, as happens in a container.
    flags = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    flags.append(f"--ServerApp.root_dir={root}")
    if tutorials:
        flags.append(f"--LabApp.default_url=/lab/tree/{quote(tutorials[0])}")
    return [sys.executable, "-m", "jupyterlab", *flags, *arguments]


def main() -> None:
    """Replace this process by JupyterLab, so that Ctrl-C and the exit code are those of JupyterLab."""
    os.chdir(ROOT)
    words = command(sys.argv[1:])
    os.execve(words[0], words, {**os.environ, **settings(ROOT / ".jupyter")})


if __name__ == "__main__":
    main()
