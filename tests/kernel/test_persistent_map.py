"""A table's versions: each stays as it was, however many go on from it, and none is held for ever."""

from __future__ import annotations

import gc
import weakref
from threading import Barrier, Thread
from typing import Any

from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.persistent import PersistentMap


class Held:
    """A value of which one can see whether it is still held."""


def test_versions_that_go_on_from_one_another_again_and_again_stay_as_they_were() -> None:
    versions: list[tuple[PersistentMap[int], dict[str, int]]] = [
        (PersistentMap({"a": 0, "b": 0}), {"a": 0, "b": 0})
    ]
    for n in range(1, 200):
        table, model = versions[-1]
        table.insert("a", -n)  # somebody else comes first each time
        name = "ab"[n % 2] if n % 3 else f"n{n}"
        versions.append((table.insert(name, n), {**model, name: n}))
    assert all(dict(table) == model and len(table) == len(model) for table, model in versions)


def test_one_version_may_be_gone_on_from_any_number_of_times() -> None:
    table: PersistentMap[int] = PersistentMap({"a": 0})
    for n in range(64 + 17):  # up to where its line is full, and beyond
        table = table.insert("a", n)
        branches = [table.insert("a", -m).insert("b", m) for m in range(20)]
        assert [dict(branch) for branch in branches] == [{"a": -m, "b": m} for m in range(20)]
        assert dict(table) == {"a": n}


def test_a_version_that_nobody_holds_is_let_go_of_in_time() -> None:
    table: PersistentMap[Any] = PersistentMap()
    values = [Held() for _ in range(1_000)]
    seen = weakref.WeakSet(values)
    for value in values:
        table = table.insert("a", value)
    del value, values
    gc.collect()
    assert 1 <= len(seen) < 100


def test_a_branch_that_nobody_holds_takes_what_it_held_with_it() -> None:
    table: PersistentMap[Any] = PersistentMap()
    later = table.insert("a", 1)
    value = Held()
    seen = weakref.ref(value)
    branch = table.insert("a", value)
    del value
    gc.collect()
    assert seen() is not None
    del branch
    gc.collect()
    assert seen() is None
    assert dict(later) == {"a": 1}


def test_a_name_that_was_discarded_may_come_back() -> None:
    table = PersistentMap({"a": 1}).discard("a")
    assert (dict(table), len(table), "a" in table) == ({}, 0, False)
    assert (dict(table.insert("a", 2)), len(table.insert("a", 2))) == ({"a": 2}, 1)
    assert table.discard("a") is table


def test_an_identity_finds_what_is_under_its_stream_id_in_every_version() -> None:
    first = PersistentMap({"Shop-1": 1, "Shop-2": 2})
    second = first.insert("Shop-1", 3)
    assert [table.get(Identity("Shop", "1")) for table in (first, second)] == [1, 3]
    assert [table.get(Identity("Shop", "2")) for table in (first, second)] == [2, 2]
    assert second.get(Identity("Shop", "9"), "none") == "none"


def test_threads_that_go_on_from_the_same_version_do_not_see_each_other() -> None:
    table: PersistentMap[int] = PersistentMap()
    made: list[tuple[int, PersistentMap[int]]] = []
    for _ in range(50):
        start = Barrier(4)

        def put(n: int, old: PersistentMap[int] = table, start: Barrier = start) -> None:
            start.wait()
            made.append((n, old.insert(f"t{n}", n)))

        threads = [Thread(target=put, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(dict(new) == {**table, f"t{n}": n} for n, new in made)
        table = made[0][1]
        made.clear()
