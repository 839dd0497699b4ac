"""The workers of a cluster explore, and find what one process finds."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from calamity_lab import explore
from calamity_lab.errors import InvalidValue
from calamity_lab.probe import workers
from tests.probe.puzzles import hanoi
from tests.probe.test_explore import order_and_cancel, ships_nothing_cancelled
from tests.probe.test_workers import facts, puzzled


def test_a_cluster_finds_the_same_as_one_process(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "WIDE", 1)
    lab = order_and_cancel()
    make = partial(explore, lab, invariants=[ships_nothing_cancelled], limit=60)
    alone, cluster = make(), make(workers=client)
    assert facts(cluster) == facts(alone)
    assert cluster._explorer.is_shared
    assert facts(cluster.resume(120)) == facts(alone.resume(120))


def test_a_model_that_cannot_be_sent_ends_it_with_what_to_do(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "WIDE", 1)
    found = puzzled(hanoi())(workers=client)
    assert found.verdict == "undecided"
    assert "could not start an actor" in found.stopped
    assert "put it into a module that the workers can import" in found.stopped


def test_what_is_no_client_is_named_with_what_to_install() -> None:
    with pytest.raises(InvalidValue, match=r"pip install 'calamity-lab\[cluster\]'"):
        explore(hanoi().start, workers="tcp://127.0.0.1:8786")


def test_a_cluster_explores_by_breadth_only(client: Any) -> None:
    with pytest.raises(InvalidValue, match="by breadth only"):
        explore(hanoi().start, workers=client, strategy="depth")
