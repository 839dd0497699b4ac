"""What holds for every test: browser tests carry their marker and come last; a PostgreSQL is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calamity_lab.testing.postgres import PostgresServer, temporary_postgres

BROWSER = Path(__file__).resolve().parent / "browser"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first; and playwright leaves its event loop running, which others would stumble over."""
    for item in items:
        if BROWSER in item.path.parents:
            item.add_marker("browser")
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


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
