from django.urls import path, register_converter

from eventhub.traces import event_types, views


class AnyTextConverter:
    """Ids and names as producers make them: with slashes, spaces and line ends."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """As it is."""
        return value

    def to_url(self, value: str) -> str:
        """As it is; Django quotes it."""
        return value


register_converter(AnyTextConverter, "anytext")

urlpatterns = [
    path("traces/", views.trace_list, name="traces"),
    path("traces/<anytext:correlation_id>/", views.trace_detail, name="trace"),
    path("events/<anytext:event_id>/", views.event_page, name="event"),
    path("event-types/", event_types.type_list, name="event-types"),
    path("event-types/<anytext:name>/", event_types.type_detail, name="event-type"),
]
