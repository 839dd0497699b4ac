"""Databases of both kinds, new and empty."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from calamity_lab.testing.postgres import PostgresServer

_numbers = count(1)


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of which each test has a schema: that is made in a tenth of the time of a database."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def postgres_urls(shared_database: str) -> Iterator[Iterator[str]]:
    """URLs of schemas in PostgreSQL, each new and empty."""
    names: list[str] = []

    def new() -> Iterator[str]:
        while True:
            names.append(f"test_{next(_numbers)}")
            connection.execute(f"CREATE SCHEMA {names[-1]}")
            yield f"{shared_database}&options=-csearch_path%3D{names[-1]}"

    with psycopg.connect(shared_database, autocommit=True) as connection:
        yield new()
    with psycopg.connect(shared_database, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def postgres_url(postgres_urls: Iterator[str]) -> str:
    """The URL of a schema in PostgreSQL that is new and empty."""
    return next(postgres_urls)
