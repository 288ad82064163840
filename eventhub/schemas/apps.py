from django.apps import AppConfig


class SchemasConfig(AppConfig):
    name = "eventhub.schemas"

    def ready(self) -> None:
        """Events are read in the versions of the catalogue; personal data is shown only to those who may see it.

        Its keys are rotated with the other secrets.
        """
        from eventhub.brokers.secrets import rotating
        from eventhub.events.showing import hide_by
        from eventhub.events.versions import read_by
        from eventhub.schemas.models import PersonalKey
        from eventhub.schemas.personal.showing import show_to
        from eventhub.schemas.upcasting.catalogue import known_steps

        hide_by(show_to)
        read_by(known_steps.read)
        rotating.register(PersonalKey)
