"""Install Debian packages, for what no Python package contains."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def is_debian() -> bool:
    """Whether this is Debian itself; Ubuntu's chromium package, for example, only installs a snap."""
    release = Path("/etc/os-release")
    return release.exists() and "ID=debian" in release.read_text(encoding="utf-8").splitlines()


def privilege() -> list[str] | None:
    """The words before a command that run it as root without a password, or None if that is not possible."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def can_install() -> bool:
    """Whether apt-get can install packages here without a password."""
    return is_debian() and shutil.which("apt-get") is not None and privilege() is not None


def install(*packages: str) -> bool:
    """Install Debian packages, and print each action on standard error; False if apt-get fails."""
    apt = [*(privilege() or []), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    print(f"Installing with apt-get: {' '.join(packages)}", file=sys.stderr, flush=True)
    for action in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run([*apt, *action], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        if done.returncode != 0:
            print(f"apt-get {action[0]} failed with exit code {done.returncode}.", file=sys.stderr)
            return False
    return True
