from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class SagasConfig(AppConfig):
    name = "eventhub.sagas"
    verbose_name = "Sagas"

    def ready(self) -> None:
        """Import the sagas that the code declares, in each app's ``sagas.py``, and let them hear their events."""
        from eventhub.sagas import listening

        autodiscover_modules("sagas")
        listening.connect()
