"""What holds for every test: who runs them with whom, and in which order; a PostgreSQL is at hand."""

from __future__ import annotations

import fcntl
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calamity_lab.kernel import identity
from calamity_lab.testing.postgres import PostgresServer, temporary_postgres

TESTS = Path(__file__).resolve().parent
BROWSER = TESTS / "browser"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests carry their marker; where several workers run the tests, the first starts with them.

    Each worker has a server and a Chromium of its own. A worker that runs all tests has the browser's last:
    playwright leaves its event loop running.
    """
    at_once = "PYTEST_XDIST_WORKER" in os.environ
    for item in items:
        if BROWSER in item.path.parents:
            item.add_marker("browser")
    items.sort(key=lambda item: (item.get_closest_marker("browser") is not None) != at_once)


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of our own, for all tests that need one. Whoever stops it starts it again."""
    with temporary_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database that is new and empty."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)
