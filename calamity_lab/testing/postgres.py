"""A PostgreSQL server for the time of a test: started from a wheel, also as root, and gone afterwards."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from calamity_lab.errors import MissingExtra, StoreUnavailable
from calamity_lab.testing.postgres_programs import PREFIX, WINDOWS, as_whom, find_programs, reachable, room

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
