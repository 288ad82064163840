from django.apps import AppConfig


class RunningConfig(AppConfig):
    name = "eventhub.running"

    def ready(self) -> None:
        """Register the checks of the configuration and the ingest workers' heartbeat."""
        from eventhub.running import checks, heartbeat

        checks.connect()
        heartbeat.connect()
