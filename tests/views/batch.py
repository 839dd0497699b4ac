"""A model whose one command leads to as many events as it says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from calamity_lab.kernel.messages import command


@command(to="Batch", by="id")
@dataclass(frozen=True)
class Fill:
    id: str
    count: int


@dataclass(frozen=True)
class Filled:
    id: str


@dataclass(frozen=True)
class Batch:
    id: str

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def execute(self, order: Any) -> Any:
        return [Filled(f"{order.id}{n}") for n in range(order.count)]

    def apply(self, event: Any) -> Self:
        return replace(self)
