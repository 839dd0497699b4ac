"""What holds for every test: who runs them with whom, and in which order; a PostgreSQL is at hand."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from calamity_lab.kernel import identity
from calamity_lab.testing.postgres import PostgresServer, temporary_postgres

# Each part of a Dask cluster would look at itself up to a hundred times a second, as long as the tests run:
# half of what its tests cost, and a part of all others in that process.
os.environ |= {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "10s",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "60s",
}
# jsonschema would make 38 parsers with it, for seconds: see tests/browser/left_out.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

TESTS = Path(__file__).resolve().parent
BROWSER = TESTS / "browser"
SERVED = {"jupyter_server", "kernel_fork"}
"""Fixtures that take a worker some seconds to make: one worker has the tests that need them."""
LONG = ("stores/test_promises.py", "stores/actors", "stores/test_killed_at_every_step.py", "notebooks")
"""What else takes long: a worker should begin with it, not end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests carry their marker; where several workers run the tests, each begins with long ones.

    A worker that runs all tests has the browser's last: playwright leaves its event loop running.
    """
    for item in items:
        if BROWSER in item.path.parents:
            item.add_marker("browser")
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    if workers == 1:
        items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    else:
        items[:] = dealt(items, workers)


def dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests in an order of which xdist gives each worker an equal part, each with long tests first.

    What is at the end of a part is taken over by workers that are done with theirs. The first worker has
    the tests with a JupyterLab, so that one server is enough; the second one the other browser tests.
    """
    heads: list[list[pytest.Item]] = [[] for _ in range(workers)]
    rest: list[pytest.Item] = []
    for item in items:
        if SERVED.intersection(getattr(item, "fixturenames", ())):
            heads[0].append(item)
        elif item.get_closest_marker("browser"):
            heads[1].append(item)
        elif any(item.path.is_relative_to(TESTS / each) for each in LONG):
            heads[2 % workers].append(item)
        else:
            rest.append(item)
    order: list[pytest.Item] = []
    for number, head in enumerate(heads):
        # As xdist counts: an equal share of what is left.
        end = len(order) + (len(items) - len(order)) // (workers - number)
        order += head
        filled = max(0, end - len(order))
        order += rest[:filled]
        del rest[:filled]
    return order + rest


def pytest_collection_finish() -> None:
    """Let the garbage collector look, less often, only at what tests make: what is imported stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of temporary files that is the same for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def site(shared_folder: Path) -> Path:
    """The documentation site, built from this working tree. A warning, as for a dead link, fails here.

    The worker that needs it first builds it; it takes as long as three hundred tests.
    """
    folder, built = shared_folder / "docs" / "site", shared_folder / "docs" / "built"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            words = [sys.executable, "-m", "scripts.build_docs", str(folder)]
            done = subprocess.run(words, cwd=TESTS.parent, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            built.touch()
    return folder


@pytest.fixture(autouse=True)
def _stored_names_stay() -> Iterator[None]:
    """A name that a test gives to a class is forgotten after the test: other tests may use the class."""
    before = dict(identity._names)
    yield
    for cls, name in list(identity._names.items()):
        if before.get(cls, name) != name or (cls not in before and name != cls.__name__):
            del identity._names[cls]
            identity._lately.cache_clear()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises, also where whoever started the tests had it ignored, as shells do in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of our own, for all tests that need one. Whoever stops it starts it again."""
    with temporary_postgres() as server:
        yield server


class SharedDatabase:
    """A database of which each test has a schema: to make a database for each takes five times as long."""

    def __init__(self, url: str) -> None:
        self._url, self._numbers = url, count(1)
        self._connect()

    def new_schema(self) -> tuple[str, str]:
        """The name of a new schema, and the URL of a database that shows only this schema."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return name, f"{self._url}&options=-csearch_path%3D{name}"

    def execute(self, statement: str) -> None:
        """Execute a statement on the connection of all tests: each new one would have to learn all tables."""
        import psycopg

        try:
            self._connection.execute(statement)
        except psycopg.OperationalError:  # a test stopped the server meanwhile
            self._connect()
            self._connection.execute(statement)

    def _connect(self) -> None:
        import psycopg

        connect: Any = psycopg.connect
        self._connection = connect(self._url, autocommit=True, options="-clock_timeout=20s")


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer) -> SharedDatabase:
    """The database that the tests share."""
    return SharedDatabase(postgres_server.new_database())


@pytest.fixture
def postgres_urls(shared_database: SharedDatabase) -> Iterator[Iterator[str]]:
    """URLs of PostgreSQL databases, each new and empty."""
    names: list[str] = []

    def new() -> Iterator[str]:
        while True:
            name, url = shared_database.new_schema()
            names.append(name)
            yield url

    yield new()
    if names:
        shared_database.execute(f"DROP SCHEMA {', '.join(names)} CASCADE")


@pytest.fixture
def postgres_url(postgres_urls: Iterator[str]) -> str:
    """The URL of a PostgreSQL database that is new and empty."""
    return next(postgres_urls)
