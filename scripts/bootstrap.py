"""Set up the virtual environment in which everything runs: `python3 scripts/bootstrap.py .venv [extra ...]`.

Uses only the standard library, and syntax that an old Python understands, so that it can say what is wrong.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def main(arguments: list[str]) -> None:
    """Make or update the environment, and install this package with these extras."""
    if sys.version_info[:2] < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"calamity_lab needs Python 3.11 or newer; {sys.executable} is {found}. "
            "Name another one: make PYTHON=python3.12 ..."
        )
    if not arguments:
        sys.exit("usage: python3 scripts/bootstrap.py FOLDER [EXTRA ...]")
    folder, extras = Path(arguments[0]), arguments[1:]
    make_environment(folder)
    install_package(folder, extras)


def make_environment(folder: Path) -> None:
    """Make a virtual environment; replace one whose Python does not work."""
    python = folder / "bin" / "python"
    if works(python):
        return
    say(f"Making a virtual environment in {folder}")
    if not has_venv():
        sys.exit(
            f"{sys.executable} cannot make virtual environments. "
            "On Debian or Ubuntu: apt-get install python3-venv"
        )
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)


def works(python: Path) -> bool:
    """Whether this interpreter starts, is new enough and has pip."""
    if not python.exists():
        return False
    probe = f"import sys, pip; sys.exit(sys.version_info[:2] < {OLDEST})"
    return subprocess.run([str(python), "-c", probe], capture_output=True, check=False).returncode == 0


def has_venv() -> bool:
    """Whether this Python can make environments; on Debian this needs a separate package."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return True
    sys.path.insert(0, str(ROOT))
    from scripts import debian

    return debian.can_install() and debian.install("python3-venv")


def install_package(folder: Path, extras: list[str]) -> None:
    """Install this package, editable, with its pinned dependencies: with uv, or with pip, which is slower."""
    python = str(folder / "bin" / "python")
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    wanted = ["--editable", target, "--constraint", str(ROOT / "constraints.txt")]
    environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pip = [python, "-m", "pip", "install", "--quiet"]
    say(f"Installing calamity_lab and its {' and '.join(['run', *extras])} dependencies into {folder}")
    if subprocess.run([*pip, "uv"], env=environment, check=False).returncode == 0:
        uv = [python, "-m", "uv", "pip", "install", "--quiet", "--python", python]
        if subprocess.run([*uv, *wanted], env=environment, check=False).returncode == 0:
            return
        say("uv could not install it; trying pip, which takes longer")
    if subprocess.run([*pip, *wanted], env=environment, check=False).returncode != 0:
        sys.exit("The dependencies could not be installed; see the messages of pip above.")


def say(text: str) -> None:
    """Print one line about the current work, at once."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
