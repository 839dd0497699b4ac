"""Find callbacks that are not pure: that change what they are given, or give two answers to one question.

`PurityCheck` is a wrapper of the door to the model (`calamity_lab.kernel.ask`): it asks every question twice,
looks whether anything that the callback was given has changed, and puts it back where it has. So a broken
model never harms the moments that were recorded.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from calamity_lab.errors import ImpureModel, Rejected, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.hints import UNFINISHED, see
from calamity_lab.kernel.run import Run, advance
from calamity_lab.kernel.schema import is_record
from calamity_lab.kernel.steps import Step
from calamity_lab.text import format_value
from calamity_lab.trace.copies import Copy, PlainParts
from calamity_lab.trace.differences import Difference, differences
from calamity_lab.trace.muted_output import muted_output

_MOST = 1_000


def advance_watched(run: Run) -> tuple[Step, Run]:
    """The next step and the run after it; raises `ImpureModel` where a callback that it asks is not pure."""
    with ask.through(PurityCheck()):
        return advance(run)


class PurityCheck:
    """A wrapper of the door to the model: it asks twice, and compares.

    One callback is watched so many times, and then believed: a long history is read at its usual pace.
    ``unchecked`` says, by class and field, what could not be checked and why.
    """

    def __init__(self, unchecked: dict[str, str] | None = None, most: int = _MOST) -> None:
        self.unchecked = {} if unchecked is None else unchecked
        self._most = most
        self._asked: Counter[str] = Counter()

    def __call__(self, question: ask.Question) -> Any:
        """The answer, once it is clear that asking changed nothing and gives the same again."""
        name = question.name
        self._asked[name] += 1
        if self._asked[name] > self._most:
            return question()
        given = [each for each in (question.subject, question.message) if not is_a(each, type)]
        remembered = [_Before(each) for each in given]
        for each in remembered:
            for field, why in each.unchecked.items():
                self.unchecked[f"{type(each.value).__name__}.{field}"] = why
        first = _answer(question, remembered)
        if type(first) in UNFINISHED:
            return first  # which the door refuses
        with muted_output():  # what the callback prints was heard
            second = _answer(question, remembered)
        _check_same(question, first, second)
        if type(first) is _Raised:
            raise first.rejected
        return first


class _Raised(NamedTuple):
    """A rejection that a callback raised; one that it returns is no answer, and the door says so."""

    rejected: Rejected


class _Before:
    """What a value held before a callback was asked."""

    def __init__(self, value: Any) -> None:
        self.value, self._parts = value, PlainParts(value)
        self._copy = Copy.of_fields(value) if self._parts.held is None else None
        self.unchecked = {} if self._copy is None else self._copy.unchecked

    def put_back(self) -> Difference | None:
        """Put back what the callback changed in the value; the first of it, or None where nothing changed."""
        if self._copy is None and self._parts == PlainParts(self.value):
            return None
        now = Copy.of_fields(self.value).plain
        if self._copy is None:
            self._parts.put_back()
        before = self._copy or Copy.of_fields(self.value)
        found = next(differences(before.plain, now), None)
        if found is not None:
            before.put_back()
        return found


def _answer(question: ask.Question, remembered: list[_Before]) -> Any:
    try:
        return question()
    except Rejected as rejected:
        return _Raised(rejected)
    finally:
        for each in remembered:
            found = each.put_back()
            if found is not None:
                raise _changed(question, each.value, found)


def _changed(question: ask.Question, given: Any, found: Difference) -> ImpureModel:
    whose = "self" if given is question.subject else type(given).__name__
    place = see(getattr(question.subject, question.method), found.field)
    old, new = format_value(found.before, 60), format_value(found.after, 60)
    advice = (
        f"leave the state as it is and return a new one: `return replace(self, {found.field}=...)`"
        if question.method == "apply"
        else "it only decides; return an event (or a command), and make the change in `apply`, as a new value"
    )
    return ImpureModel(
        question.name,
        found.path,
        f"changed {whose}.{found.path} in place ({old} → {new}); {advice}; a class declared "
        f"@dataclass(frozen=True), with tuples for lists, cannot be changed by accident{place}",
    )


def _check_same(question: ask.Question, first: Any, second: Any) -> None:
    first, second = _comparable(first), _comparable(second)
    if PlainParts(first) == PlainParts(second):
        return
    found = next(differences(Copy(first, loose=True).plain, Copy(second, loose=True).plain), None)
    if found is None:
        return
    if not found.path:
        found = found._replace(before=first, after=second)
    where = f" in {found.path}" if found.path else ""
    message, place = question.message, see(getattr(question.subject, question.method))
    asked = type(message).__name__ if is_record(message) else repr_of(message)
    raise ImpureModel(
        question.name,
        found.path,
        f"gave two answers to {asked}{where}: "
        f"{format_value(found.before, 60)}, then {format_value(found.after, 60)}; a callback must depend on "
        "nothing but what it is given. Take times and ids from the context, as in execute(self, command, "
        f"context), and random numbers from a field of the command{place}",
    )


def _comparable(answer: Any) -> Any:
    answer = answer.rejected if type(answer) is _Raised else answer
    if is_a(answer, Rejected):
        return {"rejected": type(answer).__name__, "reason": answer.reason, **answer.details}
    if type(answer) in (tuple, list) and len(answer) == 1:
        return answer[0]
    return answer
