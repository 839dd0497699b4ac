"""A cluster inside this process, for tests that need none of other processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """A client of two workers that are threads of this process, so that a call takes a fraction of a ms."""
    # Its own log alone: ``silence_logs`` would also silence the handlers with which tests read logs.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        LocalCluster(
            processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=False
        ) as cluster,
        Client(cluster, set_as_default=False, direct_to_workers=True) as client,
    ):
        yield client
