"""The event store on SQL keeps to the suite for event stores, whatever the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest

from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.testing.event_store_conformance import EventStoreConformance


class SQLConformance(EventStoreConformance):
    patience: ClassVar[float] = 0.03

    def reopen(self, store: Any) -> Any:
        store.close()
        return SQLEventStore(store.url, self.types)


class TestSQLiteFile(SQLConformance):
    @pytest.fixture(autouse=True)
    def files(self, tmp_path: Path) -> None:
        self.urls = (f"sqlite:///{tmp_path / str(n)}.db" for n in count())

    def new_store(self, types: tuple[type, ...]) -> SQLEventStore:
        return SQLEventStore(next(self.urls), types, poll=0.01)

    def writers(self, store: Any, count: int) -> Sequence[Any]:
        return [store, *(SQLEventStore(store.url, self.types) for _ in range(count - 1))]


class TestSQLiteInMemory(SQLConformance):
    def new_store(self, types: tuple[type, ...]) -> SQLEventStore:
        return SQLEventStore("sqlite://", types, poll=0.01)

    def reopen(self, store: Any) -> Any:
        return store

    def writers(self, store: Any, count: int) -> Sequence[Any]:
        return [store] * count


class TestPostgreSQL(SQLConformance):
    examples = 12  # a database for each takes a tenth of a second

    @pytest.fixture(autouse=True)
    def databases(self, postgres_urls: Iterator[str]) -> None:
        self.urls = postgres_urls

    def new_store(self, types: tuple[type, ...]) -> SQLEventStore:
        return SQLEventStore(next(self.urls), types)

    def writers(self, store: Any, count: int) -> Sequence[Any]:
        return [store, *(SQLEventStore(store.url, self.types) for _ in range(count - 1))]
