"""Random testing with Hypothesis: strategies for a model's commands, and a state machine that sends them.

::

    from calamity_lab.testing import commands_of, machine_of

    @given(commands_of(bank))
    def test_a_command_is_accepted_or_rejected(command): ...

    TestBank = machine_of(bank, invariants=[nobody_is_overdrawn]).TestCase

Hypothesis makes a failing run short, in the words of commands.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from calamity_lab.errors import InvalidModel, InvalidValue, repr_of
from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.messages import id_field_of
from calamity_lab.kernel.run import Run, advance, begin, elapse
from calamity_lab.kernel.schema import Field, arguments_of, is_message_class
from calamity_lab.kernel.stack import Stack
from calamity_lab.model import Model, assemble

IDS = ("a", "b", "c")
"""The ids that commands have, so that many of them meet the same aggregate."""

_DEEPEST = 4
_LIMITS = ("gt", "ge", "lt", "le", "min_length", "max_length", "multiple_of")

Limits = Mapping[str, Any]
Predicate = Callable[[Stack], Any]


def commands_of(
    model: Any, *, ids: Sequence[Any] = IDS, **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """A strategy for the commands of a model, made from the types of their fields.

    ``model`` is a `Model`, a module, a list of classes, or a class of commands. A field with the aggregate's
    id has one of ``ids``. Limits of an ``Annotated`` type count, also those of pydantic and msgspec.
    ``fields`` are strategies for fields by name, as in ``commands_of(bank, amount=st.integers(1, 100))``.
    Raises `InvalidModel` for a field of whose type nothing is known, and for a name that no command has.
    """
    classes = _commands(model)
    makers = _Strategies(tuple(ids), fields)
    found = st.one_of([makers.of_class(cls) for cls in classes])
    known = {field.argument for cls in classes for field in arguments_of(cls)} | makers.used
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise InvalidModel(
            f"commands_of({', '.join(unknown)}=...): no command has such a field; they have "
            f"{', '.join(sorted(known))}"
        )
    return found


def machine_of(
    model: Any,
    *,
    invariants: Iterable[Predicate] | Mapping[str, Predicate] = (),
    start: Stack | None = None,
    ids: Sequence[Any] = IDS,
    **fields: st.SearchStrategy[Any],
) -> type[RuleBasedStateMachine]:
    """A state machine that sends commands, carries out those that wait, and checks invariants.

    Its rules are ``send``, which carries out one command, ``carry_out``, which carries out a pending one, in
    any order, and ``wait``, which lets time pass to the next deadline. An invariant is a function of the
    stack; it is checked after each rule. ``start`` is the stack to begin with.
    ``machine_of(...).TestCase`` is a test for pytest.
    """
    found = _model(model)
    stack = Stack(ids=seeded_ids(0), clock=ticking_clock()) if start is None else start
    if not stack.process_manager_types:
        stack = replace(stack, process_manager_types=found.process_managers)
    checks = _named(invariants)

    class CommandMachine(RuleBasedStateMachine):
        """Sends random commands to a model."""

        def __init__(self) -> None:
            super().__init__()
            self.run: Run = begin(stack)

        @rule(command=commands_of(found, ids=ids, **fields))
        def send(self, command: Any) -> None:
            """Carry out one command, before those that wait."""
            run = self.run.submit(command)
            self.run = _whole(run.choose(-1))

        @precondition(lambda self: len(self.run.agenda) > 0)
        @rule(which=st.integers(0, 9))
        def carry_out(self, which: int) -> None:
            """Carry out one of the commands that wait."""
            self.run = _whole(self.run.choose(which % len(self.run.agenda)))

        @precondition(lambda self: len(self.run.stack.deadlines) > 0)
        @rule()
        def wait(self) -> None:
            """Let time pass to the next deadline, which is then one of the commands that wait."""
            self.run = elapse(self.run)[1]

        @invariant()
        def invariants_hold(self) -> None:
            """Check each invariant."""
            for name, holds in checks.items():
                assert holds(self.run.stack), f"{name} does not hold"

    return CommandMachine


def _whole(run: Run) -> Run:
    while True:
        step, run = advance(run)
        if step.ends:
            return run


def _named(given: Any) -> dict[str, Predicate]:
    if is_a(given, Mapping):
        return {str(name): holds for name, holds in given.items()}
    listed = (given,) if callable(given) else tuple(given)
    for each in listed:
        if not callable(each):
            raise InvalidValue(
                f"machine_of(invariants={repr_of(each)}): give functions of a stack, in a list or by name"
            )
    return {getattr(each, "__name__", f"invariant {n}"): each for n, each in enumerate(listed, 1)}


def _model(given: Any) -> Model:
    if is_a(given, Model):
        return given  # type: ignore[no-any-return]
    if is_a(given, list, tuple, set, frozenset):
        return Model.of(given)
    return assemble(given, {})


def _commands(given: Any) -> tuple[type, ...]:
    if is_a(given, type):
        return (given,)
    found = _model(given).commands
    if not found:
        raise InvalidModel("commands_of(model): the model has no commands")
    return found


class _Strategies:
    """Strategies for classes and types; each field is asked for by its name first."""

    def __init__(self, ids: tuple[Any, ...], fields: Mapping[str, st.SearchStrategy[Any]]) -> None:
        self._ids, self._fields = ids, fields
        self.used: set[str] = set()

    def of_class(self, cls: type, depth: int = 0) -> st.SearchStrategy[Any]:
        """Values of a class with fields."""
        by = id_field_of(cls) if depth == 0 else None
        made = {}
        for field in arguments_of(cls):
            if field.argument:
                made[field.argument] = self._of_field(cls, field, by, depth)
        return st.builds(cls, **made)

    def _of_field(self, cls: type, field: Field, by: str | None, depth: int) -> st.SearchStrategy[Any]:
        name = field.argument
        if name in self._fields:
            self.used.add(name)
            return self._fields[name]
        if name == by:
            return self._ids_of(field.annotation)
        found = self.of(field.annotation, {}, depth)
        if found is None:
            raise InvalidModel(
                f"{cls.__name__}.{name} is annotated with {repr_of(field.annotation)}, of which no values "
                f"are known; give a strategy: commands_of(model, {name}=...)"
            )
        return found

    def _ids_of(self, annotation: Any) -> st.SearchStrategy[Any]:
        """The ids of aggregates, in the type that the field is annotated with."""
        if annotation is int:
            return st.integers(1, len(self._ids))
        if annotation is UUID:
            return st.sampled_from([UUID(int=n) for n in range(1, len(self._ids) + 1)])
        if isinstance(annotation, NewType):
            return self._ids_of(annotation.__supertype__)
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return st.sampled_from(annotation)
        return st.sampled_from(self._ids)

    def of(self, annotation: Any, limits: Limits, depth: int) -> st.SearchStrategy[Any] | None:
        """Values of a type; None where none are known."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.of(arguments[0], {**limits, **_limits(arguments[1:])}, depth)
        if isinstance(annotation, NewType):
            return self.of(annotation.__supertype__, limits, depth)
        if isinstance(annotation, TypeVar):
            return self.of(annotation.__bound__, limits, depth)
        if origin is Literal:
            return st.sampled_from(arguments)
        if origin is Union or origin is types.UnionType:
            return self._of_union(arguments, limits, depth)
        if origin in _CONTAINERS or annotation in _CONTAINERS:
            return self._of_container(origin or annotation, arguments, limits, depth)
        if isinstance(annotation, type):
            return self._of_type(annotation, limits, depth)
        return None

    def _of_union(self, members: Sequence[Any], limits: Limits, depth: int) -> st.SearchStrategy[Any] | None:
        none_first = sorted(members, key=lambda member: member is not type(None))
        found = [self.of(member, limits, depth) for member in none_first]
        known = [each for each in found if each is not None]
        return st.one_of(known) if known else None

    def _of_container(
        self, container: Any, arguments: Sequence[Any], limits: Limits, depth: int
    ) -> st.SearchStrategy[Any] | None:
        size = {"min_size": limits.get("min_length", 0), "max_size": limits.get("max_length", 3)}
        if container is tuple and arguments and arguments[-1:] != (...,):
            places: list[Any] = [self.of(each, {}, depth + 1) for each in arguments]
            return None if None in places else st.tuples(*places)
        parts: list[Any] = [self.of(each, {}, depth + 1) for each in arguments if each is not ...]
        if None in parts:
            return None
        item = parts[0] if parts else _TEXTS
        if container is dict:
            return st.dictionaries(item, parts[-1] if parts else _TEXTS, **size)
        if container is set:
            return st.sets(item, **size)
        if container is frozenset:
            return st.frozensets(item, **size)
        lists = st.lists(item, **size)
        return lists if container is list else lists.map(tuple)

    def _of_type(self, cls: type, limits: Limits, depth: int) -> st.SearchStrategy[Any] | None:
        if cls is str and not limits:
            return st.one_of(st.sampled_from(self._ids if isinstance(self._ids[0], str) else IDS), _TEXTS)
        if cls is str:
            return st.text(min_size=limits.get("min_length", 0), max_size=limits.get("max_length"))
        if cls is int:
            return _whole_numbers(limits)
        if cls in (float, Decimal):
            return _numbers(cls, limits)
        if cls in _PLAIN:
            return _PLAIN[cls]
        if issubclass(cls, Enum):
            return st.sampled_from(cls)
        if is_message_class(cls) and depth < _DEEPEST:
            return self.of_class(cls, depth + 1)
        return None


def _limits(metadata: Iterable[Any]) -> dict[str, Any]:
    """The limits in the metadata of a type, as annotated_types, msgspec and pydantic name them."""
    found: dict[str, Any] = {}
    for each in metadata:
        found.update(_limits(getattr(each, "metadata", ())))
        for name in _LIMITS:
            value = getattr(each, name, None)
            if value is not None:
                found[name] = value
    return found


def _whole_numbers(limits: Limits) -> st.SearchStrategy[int]:
    low = limits["ge"] if "ge" in limits else limits["gt"] + 1 if "gt" in limits else None
    high = limits["le"] if "le" in limits else limits["lt"] - 1 if "lt" in limits else None
    if low is None:
        low = -10 if high is None else min(high - 1_000, -10)
    step = limits.get("multiple_of", 1)
    high = max(low + 1_000, 1_000) if high is None else high
    return st.integers(-(-low // step), high // step).map(lambda n: n * step)


def _numbers(cls: type, limits: Limits) -> st.SearchStrategy[Any]:
    low = limits.get("ge", limits.get("gt", -10))
    high = limits.get("le", limits.get("lt", max(low + 1_000, 1_000)))
    found: st.SearchStrategy[Any] = (
        st.decimals(low, high, places=2) if cls is Decimal else st.floats(low, high, allow_nan=False)
    )
    return found.filter(lambda n: n != limits.get("gt") and n != limits.get("lt"))


_CONTAINERS = (list, tuple, set, frozenset, dict, Sequence, Iterable)
_TEXTS = st.text(max_size=8)
_DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
_PLAIN: Mapping[type, st.SearchStrategy[Any]] = {
    type(None): st.none(),
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    datetime: st.builds(datetime.combine, _DAYS, st.times(), st.just(UTC)),
    date: _DAYS,
    time: st.times(),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=30)),
    UUID: st.uuids(),
    object: _TEXTS,
}
