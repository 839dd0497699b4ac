"""What holds for every test: who runs them with whom, and in which order; a PostgreSQL is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from calamity_lab.testing.postgres import PostgresServer, temporary_postgres

TESTS = Path(__file__).resolve().parent
BROWSER = TESTS / "browser"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests carry their marker; where two workers run the tests, they start with what takes longest.

    Each worker has a server and a Chromium of its own. A worker that runs all tests has the browser's last:
    playwright leaves its event loop running.
    """
    at_once = "PYTEST_XDIST_WORKER" in os.environ
    for item in items:
        if BROWSER in item.path.parents:
            item.add_marker("browser")
    items.sort(key=lambda item: (item.get_closest_marker("browser") is not None) != at_once)


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
