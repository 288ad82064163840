from django.apps import AppConfig


class SchemasConfig(AppConfig):
    name = "eventhub.schemas"

    def ready(self) -> None:
        """Personal data is shown only to those who may see it; its keys are rotated with the other secrets."""
        from eventhub.brokers.secrets import rotating
        from eventhub.events.showing import hide_by
        from eventhub.schemas.models import PersonalKey
        from eventhub.schemas.personal.showing import show_to

        hide_by(show_to)
        rotating.register(PersonalKey)
