from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "eventhub.events"
    verbose_name = "Event store"
