"""What a callback does for one class of messages is read from its source, or nothing is claimed."""

# ruff: noqa: RET503, SIM114 - callbacks as people write them

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatchmethod
from types import SimpleNamespace
from typing import Any

import pytest

from calamity_lab import Rejected, Start, Stop
from calamity_lab.kernel.cases import classes_tested, has_no_case, paths


class Message:
    """What all messages are."""


@dataclass(frozen=True)
class Open(Message):
    id: str


@dataclass(frozen=True)
class Close(Message):
    id: str


@dataclass(frozen=True)
class Rename(Message):
    id: str


@dataclass(frozen=True)
class Done:
    id: str


Either = Open | Close


def plain(self: Any, command: Any) -> Any:
    """Decide."""
    match command:
        case Open():
            return Done(command.id)
        case Close(id=id_) if id_:
            return [Done(id_)]


def with_its_own_none(self: Any, command: Any) -> Any:
    match command:
        case Open():
            return Done(command.id)
        case Rename() | Close():
            return None


def with_a_pass(self: Any, command: Any) -> Any:
    match command:
        case Open():
            return Done(command.id)
        case Rename():
            pass


def with_a_default(self: Any, command: Any) -> Any:
    match command:
        case Open():
            return Done(command.id)
        case _:
            return None


def with_branches(self: Any, command: Any) -> Any:
    if self.closed:
        raise Rejected("closed")
    if isinstance(command, Open) and command.id:
        return Done(command.id)
    elif isinstance(command, (Close,)):
        return Done(command.id)


def with_return_none(self: Any, command: Any) -> Any:
    match command:
        case Open():
            return Done(command.id)
    return None


def with_a_union(self: Any, command: Any) -> Any:
    if isinstance(command, Either):
        return Done(command.id)


def with_a_base(self: Any, command: Any) -> Any:
    if isinstance(command, Message):
        return None


def with_not(self: Any, command: Any) -> Any:
    if not isinstance(command, Rename):
        return Done(command.id)


def with_one_expression(self: Any, command: Any) -> Any:
    return Done(command.id) if isinstance(command, Open) else None


def with_the_type(self: Any, command: Any) -> Any:
    if type(command) is Open:
        return Done(command.id)


def with_a_pair(self: Any, command: Any) -> Any:
    match self.closed, command:
        case False, Open():
            return Done(command.id)
        case True, Close():
            return Done(command.id)


def with_a_pair_and_a_default(self: Any, command: Any) -> Any:
    match self.closed, command:
        case False, Open():
            return Done(command.id)
        case True, _:
            return Done(command.id)


def with_a_helper(self: Any, command: Any) -> Any:
    if isinstance(command, Open):
        return Done(command.id)
    return self.others(command)


def with_a_table(self: Any, command: Any) -> Any:
    return {Open: Done}[type(command)](command.id)


def with_another_name(self: Any, command: Any) -> Any:
    command = command.inner
    if isinstance(command, Open):
        return Done(command.id)


def with_a_loop(self: Any, command: Any) -> Any:
    for known in (Open, Close):
        if isinstance(command, known):
            return Done(command.id)


def that_yields(self: Any, command: Any) -> Any:
    if isinstance(command, Open):
        yield Done(command.id)


def without_cases(self: Any, command: Any) -> Any:
    self.seen = command


def with_a_nested_match(self: Any, command: Any) -> Any:
    if self.closed:
        match command:
            case Open():
                return Done(command.id)
    else:
        match command:
            case Close():
                return Done(command.id)


def aggregate(execute: Any) -> type:
    return type("Thing", (), {"execute": execute})


@pytest.mark.parametrize(
    "execute",
    [
        plain,
        with_branches,
        with_a_union,
        with_the_type,
        with_a_pair,
        with_a_nested_match,
    ],
)
def test_a_command_for_which_execute_has_no_case_falls_through(execute: Any) -> None:
    assert has_no_case(aggregate(execute), Rename)
    assert not has_no_case(aggregate(execute), Open)


@pytest.mark.parametrize(
    "execute",
    [
        with_its_own_none,
        with_return_none,
        with_one_expression,
        with_a_pass,
        with_a_default,
        with_a_base,
        with_not,
        with_a_pair_and_a_default,
        with_a_helper,
        with_a_table,
        with_another_name,
        with_a_loop,
        that_yields,
        without_cases,
        lambda self, command: None,
        print,
        staticmethod(print),
        5,
    ],
)
def test_nothing_is_claimed_of_an_execute_that_may_mean_it(execute: Any) -> None:
    assert not has_no_case(aggregate(execute), Rename)


def test_a_method_for_each_class_has_a_case_for_these() -> None:
    class Thing:
        @singledispatchmethod
        def execute(self, command: Any) -> Any:
            """Decide."""

        @execute.register
        def _(self, command: Open) -> Any:
            return Done(command.id)

        @execute.register(Close)
        def _close(self, command: Any) -> Any:
            return None

    assert has_no_case(Thing, Rename)
    assert not has_no_case(Thing, Open)
    assert not has_no_case(Thing, Close)
    assert set(classes_tested(Thing, "execute")) == {Open, Close}


def test_code_without_source_is_left_alone() -> None:
    made: dict[str, Any] = {"Open": Open}
    exec("def execute(self, command):\n    if isinstance(command, Open):\n        return 1", made)
    assert not has_no_case(aggregate(made["execute"]), Rename)


def test_source_that_was_changed_since_is_left_alone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "def execute(self, command):\n    if isinstance(command, {}):\n        return 1\n"
    path = tmp_path / "thing.py"
    path.write_text(source.format("Open"), encoding="utf-8")
    made: dict[str, Any] = {"Open": Open, "Close": Close}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), made)
    path.write_text(source.format("Close"), encoding="utf-8")
    assert not has_no_case(aggregate(made["execute"]), Rename)


def test_what_a_callback_returns_for_a_class_is_known() -> None:
    def interested(cls: Any, event: Any) -> Any:
        match event:
            case Open():
                return Start(event.id)
            case Close() if event.id:
                return [Stop(event.id), Stop("all")]

    manager = type("Manager", (), {"interested": classmethod(interested)})
    for message, made in ((Open, [Start]), (Close, [Stop, Stop]), (Rename, [])):
        found = paths(manager, "interested", message)
        assert found is not None
        assert list(found.made()) == made


def test_a_class_is_found_in_a_module_and_in_a_function() -> None:
    def execute(self: Any, command: Any) -> Any:
        match command:
            case local.Open():
                return None

    local = SimpleNamespace(Open=Open)
    assert classes_tested(aggregate(execute), "execute") == ()

    def again(self: Any, command: Any) -> Any:
        match command:
            case Holder.Open():
                return None

    class Holder:
        Open = Open

    assert classes_tested(aggregate(again), "execute") == (Open,)
