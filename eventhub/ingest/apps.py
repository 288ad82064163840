from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "eventhub.ingest"

    def ready(self) -> None:
        """Say how dead letters that EventHub can read by now are stored."""
        from dlq import rereading
        from eventhub.ingest import again

        rereading.register(again.store_again)
