"""Find or install a Chromium for the browser tests: `python -m scripts.chromium` prints its path.

It looks, in this order, at the environment's CHROMIUM, the names on PATH, the usual places of each system,
and playwright's own download. Where there is none it installs Debian's package if it may do so without
asking, else has playwright download one. What it does it says on standard error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts import debian

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chromium-headless-shell",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "~/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/usr/lib/chromium/chromium",
    "/opt/google/chrome/chrome",
)


class NoChromium(RuntimeError):
    """No Chromium or Chrome was found; the message says what was tried and what to do."""


def find_chromium() -> str:
    """The path of an installed Chromium or Chrome that starts; raises NoChromium if there is none."""
    asked = os.environ.get("CHROMIUM")
    if asked:
        path = shutil.which(asked)
        if path and starts(path):
            return path
        raise NoChromium(f"CHROMIUM is {asked!r}, which does not start with --version; unset it to search.")
    for path in candidates():
        if starts(path):
            return path
    raise NoChromium(
        f"No Chromium or Chrome found: no {', '.join(NAMES)} on PATH that starts, and none in the usual "
        "places. Install one, or name one: CHROMIUM=/path/to/chrome make test"
    )


def candidates() -> Iterator[str]:
    """Paths of the browsers on this machine, the most likely one first."""
    yield from filter(None, map(shutil.which, NAMES))
    yield from (str(path) for path in map(Path.expanduser, map(Path, PLACES)) if path.exists())
    downloaded = playwrights_own()
    if downloaded and Path(downloaded).exists():
        yield downloaded


def playwrights_own() -> str | None:
    """The path to which playwright downloads its browser; None without playwright."""
    probe = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    asked = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def starts(path: str) -> bool:
    """Whether the browser starts; for example, a wrapper for a snap that is not installed does not."""
    try:
        return (
            subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False).returncode == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def install_chromium() -> None:
    """Install a Chromium: Debian's package if that needs no password, or else playwright's."""
    if debian.can_install() and debian.install("chromium", "fonts-dejavu-core"):
        return
    say("Downloading playwright's Chromium")
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)


def main() -> None:
    """Find or install a browser, and print only its path on standard output."""
    try:
        path = find_chromium()
    except NoChromium as missing:
        if os.environ.get("CHROMIUM"):
            sys.exit(str(missing))
        say("No Chromium or Chrome is installed.")
        install_chromium()
        try:
            path = find_chromium()
        except NoChromium as still_missing:
            sys.exit(str(still_missing))
    say(f"The browser tests use {path}")
    print(path)


def say(text: str) -> None:
    """Print one line about the current work, at once."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
