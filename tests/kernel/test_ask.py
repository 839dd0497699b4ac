"""A model that breaks is named: what was asked, what was found, what would work; and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from calamity_lab.errors import ModelError, Rejected, UnresolvedTarget
from calamity_lab.kernel.messages import Start
from calamity_lab.kernel.run import advance, begin, dispatch
from tests.kernel.elixir import CreateAccount, DepositFunds
from tests.kernel.running import stack_of, steps_of


@dataclass(frozen=True)
class Did:
    """An event."""


def model(**methods: Any) -> Any:
    """A command to an aggregate whose callbacks are fine but for those given (None: taken out)."""
    fine: dict[str, Any] = {
        "new": classmethod(lambda cls, id_: cls()),
        "execute": lambda self, command: Did(),
        "apply": lambda self, event: self,
        **methods,
    }
    aggregate = type("Thing", (), {name: method for name, method in fine.items() if method is not None})
    return type("Do", (), {"aggregate": lambda self: (aggregate, "1"), "__repr__": lambda self: "Do()"})()


def manager(**methods: Any) -> type:
    """A process manager type whose callbacks are fine but for those given."""
    fine: dict[str, Any] = {
        "interested": classmethod(lambda cls, event: Start("1")),
        "new": classmethod(lambda cls, id_: cls()),
        "apply": lambda self, event: self,
        "handle": lambda self, event: None,
    }
    return type("Watcher", (), {**fine, **methods})


def raising(self: Any, *args: Any) -> Any:
    raise ZeroDivisionError("by nothing")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (model(new=None), r"Thing\.new is missing: add `@classmethod def new\(cls, id\)"),
        (
            model(new=classmethod(raising)),
            r"Thing\.new raised ZeroDivisionError: by nothing in file .*, line 46, for the id '1'",
        ),
        (model(new=lambda self, id_: self), r"Thing\.new raised TypeError.* it must be a @classmethod"),
        (model(new=classmethod(lambda cls, id_: None)), r"Thing\.new returned None .* return a Thing"),
        (model(execute=None), r"Thing\.execute is missing: add `def execute\(self, command\)"),
        (
            model(execute=raising),
            r"Thing\.execute raised ZeroDivisionError: by nothing in file .*, line 46, for Do\(\)",
        ),
        (model(execute=lambda s, c: "text"), r"Thing\.execute returned 'text' .* an event object, a list"),
        (model(execute=lambda s, c: {"a": 1}), r"Thing\.execute returned {'a': 1} .* no event"),
        (model(execute=lambda s, c: Did), r"Thing\.execute returned <class .* no event"),
        (model(execute=lambda s, c: [Did(), None]), r"Thing\.execute returned None .* no event"),
        (model(execute=lambda s, c: Rejected("no")), r"Thing\.execute returned Rejected.* `raise Rejected"),
        (model(execute=lambda s, c: (Did() for _ in "a")), r"Thing\.execute returned <generator .* no event"),
        (model(apply=None), r"Thing\.apply is missing: add `def apply\(self, event\)"),
        (
            model(apply=raising),
            r"Thing\.apply raised ZeroDivisionError: by nothing in file .*, line 46, for Did\(\)",
        ),
        (
            model(apply=lambda s, e: None),
            r"Thing\.apply returned None for Did\(\): every event .* return self.*\. See file ",
        ),
        (model(apply=lambda s, e: 5), r"Thing\.apply returned 5 for Did\(\)"),
    ],
)
def test_a_broken_aggregate_is_named_with_what_would_work(broken: Any, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        dispatch(stack_of(), broken)


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ({"interested": classmethod(raising)}, r"Watcher\.interested raised Zero.* return None where"),
        ({"interested": classmethod(lambda c, e: "1")}, r"Watcher\.interested returned '1' .* Start\(id\)"),
        ({"interested": classmethod(lambda c, e: Start(None))}, r"returned Start\(id=None\) .* needs an id"),
        ({"new": classmethod(raising)}, r"Watcher\.new raised ZeroDivisionError"),
        (
            {"apply": raising},
            r"Watcher\.apply raised ZeroDivisionError: by nothing in file .*, line 46, for AccountCreated",
        ),
        ({"apply": lambda s, e: None}, r"Watcher\.apply returned None"),
        ({"handle": raising}, r"Watcher\.handle raised ZeroDivisionError"),
        ({"handle": lambda s, e: "pay"}, r"Watcher\.handle returned 'pay' .* `aggregate\(\)`"),
        ({"handle": lambda s, e: [DepositFunds]}, r"Watcher\.handle returned <class .* no command"),
        ({"handle": lambda s, e: [[DepositFunds("1", 1)]]}, r"Watcher\.handle returned \[DepositFunds"),
    ],
)
def test_a_broken_process_manager_is_named_with_what_would_work(methods: Any, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        dispatch(stack_of(manager(**methods)), CreateAccount("1"))


@pytest.mark.parametrize(("answer", "told"), [(raising, "raised Zero"), (lambda s, r: 5, "returned 5")])
def test_a_broken_handle_rejection_is_named(answer: Any, told: str) -> None:
    def refuse(self: Any, command: Any) -> Any:
        raise Rejected("no")

    once = manager(
        interested=classmethod(lambda cls, event: Start("1")),
        handle=lambda self, event: model(execute=refuse),
        handle_rejection=answer,
    )
    with pytest.raises(ModelError, match=rf"Watcher\.handle_rejection {told}"):
        dispatch(stack_of(once), CreateAccount("1"))


def command_to(answer: Any) -> Any:
    return type("Do", (), {"aggregate": lambda self: answer, "__repr__": lambda self: "Do()"})()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("deposit", r"str\.aggregate is missing: 'deposit' does not say .* use @command\(to="),
        (
            DepositFunds,
            r"DepositFunds\.aggregate was asked of the class itself; .* as in DepositFunds\(\.\.\.\)",
        ),
        (command_to(("Account", "1")), r"Do\.aggregate returned \('Account', '1'\); .* class and an id"),
        (command_to((int, None)), r"Do\.aggregate returned \(<class 'int'>, None\); .* not None"),
        (command_to("1"), r"Do\.aggregate raised .* for Do\(\); it must return \(aggregate type, id\)"),
        (command_to(None), r"Do\.aggregate raised TypeError"),
    ],
)
def test_a_target_that_cannot_be_resolved_is_named_with_what_would_work(command: Any, told: str) -> None:
    with pytest.raises(UnresolvedTarget, match=told):
        dispatch(stack_of(), command)


def test_the_error_carries_the_run_up_to_there_and_the_original_exception() -> None:
    run = begin(stack_of(), CreateAccount("1"), model(execute=raising))
    while not run.stack.event_store.version("BankAccount-1") or run.progress is not None:
        _, run = advance(run)
    for _ in range(2):  # dispatched, populated
        _, run = advance(run)
    with pytest.raises(ModelError) as caught:
        advance(run)
    assert caught.value.run == run
    assert caught.value.callback == "Thing.execute"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert len(run.stack.event_store) == 1


def test_a_run_goes_on_once_the_model_is_mended() -> None:
    thing = model(execute=raising)
    with pytest.raises(ModelError) as caught:
        dispatch(stack_of(), thing)
    thing.aggregate()[0].execute = lambda self, command: Did()
    run = caught.value.run
    while not run.idle:
        _, run = advance(run)
    assert [recorded.event for recorded in run.stack.event_store] == [Did()]


def test_a_rejection_from_anywhere_but_execute_is_an_error_of_the_model() -> None:
    def reject(self: Any, event: Any) -> Any:
        raise Rejected("too late")

    with pytest.raises(ModelError, match=r"Thing\.apply raised Rejected: too late"):
        dispatch(stack_of(), model(apply=reject))


def test_a_list_or_a_tuple_of_events_is_several_and_none_is_none() -> None:
    for answer, count in (([Did(), Did()], 2), ((Did(),), 1), ([], 0), (None, 0)):
        steps, stack = steps_of(stack_of(), model(execute=lambda self, command, answer=answer: answer))
        assert len(stack.event_store) == count, (answer, steps)


def test_a_subscriber_that_breaks_is_named() -> None:
    def subscriber(recorded: Any) -> None:
        raise OSError("gone")

    store = stack_of().event_store.subscribe("BankAccount-1", subscriber)
    with pytest.raises(ModelError, match=r"subscriber .*subscriber raised OSError: gone for AccountCreated"):
        dispatch(stack_of(event_store=store), CreateAccount("1"))
