"""What is given with a command stands in its events; what calamity_lab writes itself cannot be forged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from calamity_lab import Lab, Stack, begin
from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.examples.bank import CreateAccount
from calamity_lab.kernel.run import Run
from tests.kernel.running import finish

Send = Callable[[Any], Any]


def _begin(metadata: Any) -> Any:
    return begin(Stack(), CreateAccount("1"), metadata=metadata)


def _submit(metadata: Any) -> Any:
    return Run(Stack()).submit(CreateAccount("1"), metadata=metadata)


def _send(metadata: Any) -> Any:
    lab = Lab(bank)
    try:
        lab.send(CreateAccount("1"), metadata=metadata)
    finally:
        assert len(lab.agenda) == 0
    return lab


@pytest.mark.parametrize("send", [_begin, _submit, _send])
@pytest.mark.parametrize("name", ["command", "process_manager"])
def test_names_that_the_kernel_writes_are_refused(send: Send, name: str) -> None:
    with pytest.raises(InvalidValue, match=f"{name!r}.*this name is taken"):
        send({"user": "ada", name: "me"})


@pytest.mark.parametrize("send", [_begin, _submit, _send])
@pytest.mark.parametrize("metadata", [5, ["user"], "user"])
def test_metadata_that_is_no_dict_is_refused(send: Send, metadata: Any) -> None:
    with pytest.raises(InvalidValue, match="give a dict"):
        send(metadata)


def test_metadata_of_a_command_stands_in_its_events_beside_the_commands_name() -> None:
    _, run = finish(begin(Stack(), CreateAccount("1"), metadata={"user": "ada"}))
    (recorded,) = run.stack.event_store
    assert recorded.metadata == {"user": "ada", "command": "CreateAccount"}
