"""What a widget stands on: anything that has a stepper and a model, and takes commands."""

from __future__ import annotations

from typing import Any, Protocol

from calamity_lab.model import Model
from calamity_lab.stepper import Stepper


class Desk(Protocol):
    """A cursor on a recorded run, and the model whose commands can be sent; a `Lab` is one."""

    @property
    def stepper(self) -> Stepper: ...

    @property
    def model(self) -> Model: ...

    def send(self, *commands: Any) -> object:
        """Put commands on the agenda, once it is clear that they can be dispatched."""
        ...
