from django.apps import AppConfig


class RunningConfig(AppConfig):
    name = "eventhub.running"

    def ready(self) -> None:
        """Register the checks of the configuration, and what every worker has: ids in its log, a heartbeat, an end."""
        from eventhub.running import checks, heartbeat, stopping
        from eventhub.telemetry import tasks

        tasks.connect()
        checks.connect()
        heartbeat.connect()
        stopping.connect()
