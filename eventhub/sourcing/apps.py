from django.apps import AppConfig


class SourcingConfig(AppConfig):
    name = "eventhub.sourcing"
    verbose_name = "Event-sourced streams"

    def ready(self) -> None:
        """Import the aggregates, upcasters and projections that the code declares."""
        from eventhub.sourcing import discovery

        discovery.discover()
