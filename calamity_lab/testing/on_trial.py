"""A store on trial: how a suite gets one, and what differs from store to store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy


class StoreOnTrial:
    """What an adapter's own test says: how a store is made, and where it is not as a plain value is."""

    # The classes of whatever a suite puts into a store; a suite gives its own.
    types: ClassVar[tuple[type, ...]] = ()
    # On how many random series of calls a store is compared with the model; each gets a new store.
    examples: ClassVar[int] = 30

    def new_store(self, types: tuple[type, ...]) -> Any:
        """A new, empty store that can take messages and states of these types."""
        raise NotImplementedError(
            f"{type(self).__name__} must say how its store is made: "
            "def new_store(self, types): return MyStore(...)"
        )

    def close(self, store: Any) -> None:
        """Give up what a store holds. It may have been closed before."""
        close = getattr(store, "close", None)
        if close is not None:
            close()

    def writers(self, store: Any, count: int) -> Sequence[Any]:
        """That many stores with the same contents, for as many threads; one where only one may write."""
        return [store]

    def try_examples(self, series: SearchStrategy[Any], compare: Callable[[Any], None]) -> None:
        """Compare a store with the model on random series of calls, the same ones every time."""
        run = given(series)(compare)
        settings(
            max_examples=self.examples,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=(HealthCheck.too_slow,),
        )(run)()

    @pytest.fixture
    def store(self) -> Iterator[Any]:
        """A new store, for the time of one test."""
        store = self.new_store(self.types)
        yield store
        self.close(store)
