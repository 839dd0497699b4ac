"""The suite for event stores: whoever writes one subclasses it, and says how a store is made."""

from __future__ import annotations

from calamity_lab.testing.event_stores.appending import Appending
from calamity_lab.testing.event_stores.contending import Contending
from calamity_lab.testing.event_stores.contents import Contents
from calamity_lab.testing.event_stores.modelled import Modelled
from calamity_lab.testing.event_stores.reading import Reading
from calamity_lab.testing.event_stores.subscribing import Subscribing


class EventStoreConformance(Appending, Reading, Contents, Subscribing, Contending, Modelled):
    """All that an event store must do. An adapter's whole test::

        class TestMyEventStore(EventStoreConformance):
            def new_store(self, types):
                return MyEventStore(types)

    Stores that are values and stores that change in place both pass: the suite goes on with the store that
    each call returns. Where yours is durable, give ``reopen`` too; where several threads may write,
    ``writers``; where subscribers are told in the background, ``patience``; where it must be closed by more
    than its own ``close()``, ``close``. After commanded's suites for its adapters (Ben Smith, MIT).
    """
