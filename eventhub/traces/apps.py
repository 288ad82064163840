from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_save


class TracesConfig(AppConfig):
    name = "eventhub.traces"

    def ready(self) -> None:
        """Values that have been kept for searches are taken out when their field is marked as personal."""
        from eventhub.schemas.models import PersonalField

        post_save.connect(_forget_values, sender=PersonalField)


def _forget_values(instance: Any, **_: Any) -> None:
    from eventhub.schemas.personal.marks import fields
    from eventhub.traces.attributes import forget_personal_values

    fields.forget()
    forget_personal_values(instance.event_type.name)
