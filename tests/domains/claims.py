"""Insurance claims after a storm: one event concerns several instances; a rejection changes one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from calamity_lab import Continue, Rejected, Start, Stop, command


@command(to="Region", by="name")
@dataclass(frozen=True)
class ReportStorm:
    name: str
    policies: tuple[str, ...]


@command(to="Fund", by="name")
@dataclass(frozen=True)
class PayOut:
    name: str
    policy: str
    amount: int


@command(to="Fund", by="name")
@dataclass(frozen=True)
class FillFund:
    name: str
    amount: int


@command(to="Region", by="name")
@dataclass(frozen=True)
class CloseRegion:
    name: str


@dataclass(frozen=True)
class StormReported:
    name: str
    policies: tuple[str, ...]


@dataclass(frozen=True)
class RegionClosed:
    name: str
    policies: tuple[str, ...]


@dataclass(frozen=True)
class PaidOut:
    name: str
    policy: str
    amount: int


@dataclass(frozen=True)
class FundFilled:
    name: str
    amount: int


@dataclass(frozen=True)
class Region:
    name: str
    policies: tuple[str, ...] = ()

    @classmethod
    def new(cls, name: str) -> Region:
        return cls(name)

    def execute(self, command: ReportStorm | CloseRegion) -> Any:
        if isinstance(command, ReportStorm):
            return StormReported(self.name, command.policies)
        return RegionClosed(self.name, self.policies)

    def apply(self, event: StormReported | RegionClosed) -> Region:
        return replace(self, policies=event.policies if isinstance(event, StormReported) else ())


@dataclass(frozen=True)
class Fund:
    name: str
    money: int = 0

    @classmethod
    def new(cls, name: str) -> Fund:
        return cls(name)

    def execute(self, command: PayOut | FillFund) -> Any:
        if isinstance(command, FillFund):
            return FundFilled(self.name, command.amount)
        if command.amount > self.money:
            raise Rejected("fund empty", money=self.money)
        return PaidOut(self.name, command.policy, command.amount)

    def apply(self, event: PaidOut | FundFilled) -> Fund:
        change = event.amount if isinstance(event, FundFilled) else -event.amount
        return replace(self, money=self.money + change)


@dataclass(frozen=True)
class Claim:
    """The claim of one policy; it remembers how often the fund was empty, and then asks for half."""

    policy: str
    rejections: int = 0
    paid: int = 0

    @classmethod
    def interested(cls, event: Any) -> Any:
        match event:
            case StormReported(policies=policies):
                return [Start(policy) for policy in policies]
            case PaidOut(policy=policy):
                return Continue(policy)
            case RegionClosed(policies=policies):
                return [Stop(policy) for policy in policies]

    @classmethod
    def new(cls, policy: str) -> Claim:
        return cls(policy)

    def apply(self, event: StormReported | PaidOut | Rejected) -> Claim:
        match event:
            case Rejected():
                return replace(self, rejections=self.rejections + 1)
            case PaidOut(amount=amount):
                return replace(self, paid=self.paid + amount)
        return self

    def handle(self, event: Any) -> Any:
        return PayOut("storms", self.policy, 400) if isinstance(event, StormReported) else None

    def handle_rejection(self, rejected: Rejected) -> Any:
        return PayOut("storms", self.policy, 400 // 2**self.rejections) if self.rejections < 3 else None
