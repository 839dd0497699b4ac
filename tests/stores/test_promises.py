"""What the outbox promises, whatever happens to the processes: thousands of random scripts."""

from __future__ import annotations

import pytest

from calamity_lab.stores import SQLEventStore
from tests.stores.promises import played

SHARED = "sqlite:///file:promises{}?mode=memory&cache=shared&uri=true"


@pytest.mark.parametrize("tenth", range(10))
def test_a_bank_on_sqlite_keeps_its_promises(tenth: int) -> None:
    url = SHARED.format(tenth)
    with SQLEventStore(url):  # keeps the memory
        for seed in range(200):
            played(url, 200 * tenth + seed)


def test_a_bank_on_postgresql_keeps_its_promises(postgres_url: str) -> None:
    for seed in range(200):
        played(postgres_url, seed)
