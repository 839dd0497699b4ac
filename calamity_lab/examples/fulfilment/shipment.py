"""A shipment: one parcel, from the warehouse to a door."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import Self

from calamity_lab.errors import Rejected
from calamity_lab.examples.fulfilment.order import Address
from calamity_lab.kernel.messages import command


class ShipmentStatus(Enum):
    """Where the parcel is."""

    PACKING = "packing"
    ON_THE_WAY = "on the way"
    DELIVERED = "delivered"


@command(to="Shipment", by="shipment_id")
@dataclass(frozen=True, slots=True)
class DispatchParcel:
    """Hand a parcel to the courier."""

    shipment_id: str
    order_id: str
    ship_to: Address
    pieces: int
    on: date


@command(to="Shipment", by="shipment_id")
@dataclass(frozen=True, slots=True)
class ConfirmDelivery:
    """Tell that the parcel has arrived: the courier does, some days later."""

    shipment_id: str
    delivered_at: datetime
    signed_by: str | None = None


@dataclass(frozen=True, slots=True)
class ParcelDispatched:
    """The courier took the parcel."""

    shipment_id: str
    order_id: str
    ship_to: Address
    pieces: int
    on: date


@dataclass(frozen=True, slots=True)
class ParcelDelivered:
    """The parcel arrived."""

    shipment_id: str
    order_id: str
    delivered_at: datetime
    signed_by: str | None = None


ShipmentCommand = DispatchParcel | ConfirmDelivery
ShipmentEvent = ParcelDispatched | ParcelDelivered

SERVED_COUNTRIES = ("AT", "CH", "DE", "FR", "GB", "NL")


@dataclass(frozen=True, slots=True)
class Shipment:
    """A parcel: for which order, to which address, and where it is."""

    shipment_id: str
    order_id: str = ""
    ship_to: Address | None = None
    dispatched_on: date | None = None
    delivered_at: datetime | None = None
    status: ShipmentStatus = ShipmentStatus.PACKING

    @classmethod
    def new(cls, shipment_id: str) -> Self:
        """The parcel before its first event."""
        return cls(shipment_id)

    def execute(self, command: ShipmentCommand) -> ShipmentEvent:
        """Decide what a command leads to, or refuse it."""
        match command:
            case DispatchParcel() if self.status is not ShipmentStatus.PACKING:
                raise Rejected("dispatched already", status=self.status.value)
            case DispatchParcel(ship_to=address) if address.country not in SERVED_COUNTRIES:
                raise Rejected("no courier goes there", country=address.country)
            case DispatchParcel(shipment_id, order_id, address, pieces, day):
                return ParcelDispatched(shipment_id, order_id, address, pieces, day)
            case ConfirmDelivery() if self.status is not ShipmentStatus.ON_THE_WAY:
                raise Rejected("parcel is not on the way", status=self.status.value)
            case ConfirmDelivery(shipment_id, delivered_at, signed_by):
                return ParcelDelivered(shipment_id, self.order_id, delivered_at, signed_by)

    def apply(self, event: ShipmentEvent) -> Self:
        """The parcel after an event."""
        match event:
            case ParcelDispatched(order_id=order_id, ship_to=address, on=day):
                return replace(
                    self,
                    order_id=order_id,
                    ship_to=address,
                    dispatched_on=day,
                    status=ShipmentStatus.ON_THE_WAY,
                )
            case ParcelDelivered(delivered_at=delivered_at):
                return replace(self, delivered_at=delivered_at, status=ShipmentStatus.DELIVERED)
