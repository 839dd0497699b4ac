"""Subscriptions that are billed: pydantic models, decimals, ids of invoices made by the decision itself."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from calamity_lab import Rejected, command, policy


class Plan(StrEnum):
    BASIC = "basic"
    FAMILY = "family"


PRICES = {Plan.BASIC: Decimal("4.99"), Plan.FAMILY: Decimal("9.50")}


class Fact(BaseModel):
    """The base of all messages: no message itself."""

    model_config = ConfigDict(frozen=True)


@command(to="Subscription", by="customer")
class Subscribe(Fact):
    customer: str = Field(min_length=1)
    plan: Plan = Plan.BASIC


@command(to="Subscription", by="customer")
class BillMonth(Fact):
    customer: str
    month: date


@command(to="Mailbox", by="customer")
class SendMail(Fact):
    customer: str
    subject: str


class Subscribed(Fact):
    customer: str
    plan: Plan


class MonthBilled(Fact):
    customer: str
    invoice: str
    month: date
    amount: Decimal


class MailSent(Fact):
    customer: str
    subject: str


class Subscription(Fact):
    customer: str
    plan: Plan | None = None
    billed: tuple[date, ...] = ()
    total: Decimal = Decimal(0)

    @classmethod
    def new(cls, customer: str) -> Subscription:
        return cls(customer=customer)

    def execute(self, command: Any, context: Any) -> Any:
        match command:
            case Subscribe(plan=plan):
                if self.plan is not None:
                    raise Rejected("subscribed already", plan=self.plan)
                return Subscribed(customer=self.customer, plan=plan)
            case BillMonth(month=month):
                if self.plan is None:
                    raise Rejected("no subscription")
                if month in self.billed:
                    return None
                amount = PRICES[self.plan]
                return MonthBilled(
                    customer=self.customer, invoice=context.new_id(), month=month, amount=amount
                )

    def apply(self, event: Any) -> Subscription:
        match event:
            case Subscribed(plan=plan):
                return self.model_copy(update={"plan": plan})
            case MonthBilled(month=month, amount=amount):
                return self.model_copy(update={"billed": (*self.billed, month), "total": self.total + amount})
        return self


class Mailbox(Fact):
    customer: str
    subjects: tuple[str, ...] = ()

    @classmethod
    def new(cls, customer: str) -> Mailbox:
        return cls(customer=customer)

    def execute(self, command: SendMail) -> MailSent:
        return MailSent(customer=command.customer, subject=command.subject)

    def apply(self, event: MailSent) -> Mailbox:
        return self.model_copy(update={"subjects": (*self.subjects, event.subject)})


@policy
def welcome(event: Subscribed) -> SendMail:
    return SendMail(customer=event.customer, subject=f"Welcome to {event.plan.value}")


@policy
def send_invoice(event: MonthBilled) -> SendMail:
    return SendMail(customer=event.customer, subject=f"{event.month:%B}: {event.amount}")


class Revenue(Fact):
    """A projection over all subscriptions."""

    subscribers: int = 0
    billed: Decimal = Decimal(0)

    @classmethod
    def new(cls) -> Revenue:
        return cls()

    def apply(self, event: Any) -> Revenue:
        match event:
            case Subscribed():
                return self.model_copy(update={"subscribers": self.subscribers + 1})
            case MonthBilled(amount=amount):
                return self.model_copy(update={"billed": self.billed + amount})
        return self
