from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from eventhub.brokers.secrets import rotating
        from monitoring.alerts.models import Channel

        rotating.register(Channel)
