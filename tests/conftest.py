"""What holds for every test: who runs them with whom, and in which order; a PostgreSQL is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from calamity_lab.testing.postgres import PostgresServer, temporary_postgres

TESTS = Path(__file__).resolve().parent
# Each group is run by one worker, in turn: browser tests share a server and a Chromium, and playwright leaves
# an event loop running, which those that run notebooks would stumble over.
GROUPS = {"browser": TESTS / "browser", "notebooks": TESTS / "notebooks"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first, so that two workers end together; with one worker, browser tests last."""
    for item in items:
        for name, folder in GROUPS.items():
            if folder in item.path.parents:
                item.add_marker(pytest.mark.xdist_group(name))
                if name == "browser":
                    item.add_marker("browser")
    at_once = "PYTEST_XDIST_WORKER" in os.environ
    items.sort(key=lambda item: _place(item, at_once=at_once))


def _place(item: pytest.Item, *, at_once: bool) -> int:
    group = item.get_closest_marker("xdist_group")
    name = group.args[0] if group else ""
    return {"browser": -2, "notebooks": -1}.get(name, 0) if at_once else int(name == "browser")


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
