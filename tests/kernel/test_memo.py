"""A memo keeps results by what they are about, and forgets the one not used for longest."""

from __future__ import annotations

from calamity_lab.kernel.memo import Memo, Slot

WORDS = Slot[str](most=2)


class Thing:
    """Something that equals every other thing."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    def __hash__(self) -> int:
        return 1


def test_a_result_is_worked_out_once_for_an_object() -> None:
    memo, thing, asked = Memo(), Thing(), list[int]()
    for n in range(3):
        memo.once(WORDS, lambda n=n: asked.append(n) or "word", thing)  # type: ignore[misc, func-returns-value]
    assert asked == [0]


def test_equal_objects_have_results_of_their_own() -> None:
    memo, one, other = Memo(), Thing(), Thing()
    memo.keep(WORDS, "one", one)
    assert memo.recall(WORDS, other) is None
    assert memo.recall(WORDS, one) == "one"


def test_a_key_is_compared_by_its_value() -> None:
    memo, thing = Memo(), Thing()
    memo.keep(WORDS, "one", thing, key=("a", 1))
    assert memo.recall(WORDS, thing, key=("a", 1)) == "one"
    assert memo.recall(WORDS, thing, key=("a", 2)) is None


def test_the_result_not_used_for_longest_is_forgotten_first() -> None:
    memo = Memo()
    for key in "ab":
        memo.keep(WORDS, key, key=key)
    memo.recall(WORDS, key="a")
    memo.keep(WORDS, "c", key="c")
    assert [memo.recall(WORDS, key=key) for key in "abc"] == ["a", None, "c"]


def test_slots_share_no_results() -> None:
    memo, others = Memo(), Slot[str]()
    memo.keep(WORDS, "word", key=1)
    assert memo.recall(others, key=1) is None


def test_an_object_that_a_result_is_about_is_held() -> None:
    memo = Memo()
    ids = {id(thing) for thing in [Thing() for _ in range(2)] if memo.keep(WORDS, "word", thing)}
    assert not ids & {id(Thing()) for _ in range(10)}
