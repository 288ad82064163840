from django.apps import AppConfig


class SchemasConfig(AppConfig):
    name = "eventhub.schemas"

    def ready(self) -> None:
        """Personal data is shown only to those who may see it."""
        from eventhub.events.showing import hide_by
        from eventhub.schemas.personal import show_to

        hide_by(show_to)
