"""Every store gives the same events, states and order as the stores in memory, on the same random scripts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.stores.sql import SQLEventStore
from tests.kernel.outside import OutsideAggregates
from tests.stores.scripts import EVENTS, TYPES, Outcome, Script, new_stack, outcome, perform, scripts

COUNT = 1000
EARLIER = 20  # scripts that a history has behind it before a lab is laid over it


@cache
def in_memory() -> tuple[tuple[Script, Outcome], ...]:
    """The scripts, each with what comes of it where everything is a value."""
    return tuple(performed(new_stack(InMemoryEventStore()), COUNT))


def performed(stack: Any, count: int, *, after: int = 0) -> Iterator[tuple[Script, Outcome]]:
    """What comes of scripts that are performed one after the other on one stack."""
    for script in scripts(count):
        stack, refused = perform(stack, script)
        told = outcome(stack, refused, after=after)
        after += len(told.events)
        yield script, told


def same(stack: Any, *, after: int = 0) -> None:
    """Demand that the scripts lead to the same on this stack as in memory; its events stand behind others."""
    for (script, wanted), (_, found) in zip(in_memory(), performed(stack, COUNT, after=after), strict=True):
        for part in Outcome._fields:
            assert getattr(found, part) == getattr(wanted, part), f"{part} of {script}"


def test_the_scripts_go_through_all_that_happens_in_both_models() -> None:
    outcomes = [told for _, told in in_memory()]
    happened = {event[1] for told in outcomes for event in told.events}
    assert happened == {cls.__name__ for cls in EVENTS}
    refused = {command for told in outcomes for command, _ in told.refused}
    assert {"RequestTransfer", "DepositFunds", "ReserveStock", "ChargeCard", "DispatchParcel"} <= refused
    assert len({repr(told.events) for told in outcomes}) == COUNT


def test_aggregates_that_change_in_place_give_the_same() -> None:
    same(new_stack(InMemoryEventStore(), aggregates=OutsideAggregates()))


def test_a_file_of_sqlite_gives_the_same(tmp_path: Path) -> None:
    with SQLEventStore(f"sqlite:///{tmp_path / 'scripts.db'}", TYPES) as store:
        same(new_stack(store))


def test_a_postgresql_gives_the_same(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, TYPES) as store:
        same(new_stack(store))


def test_an_overlay_on_a_history_gives_the_same_and_writes_nothing(tmp_path: Path) -> None:
    with SQLEventStore(f"sqlite:///{tmp_path / 'history.db'}", TYPES) as base:
        stack = new_stack(base, seed="earlier")
        for script in scripts(EARLIER, start=COUNT):
            stack, _ = perform(stack, script)
        length = len(base)
        same(new_stack(OverlayEventStore(base)), after=length)
        assert len(base) == length > 100
