from django.urls import path, register_converter

from eventhub.traces import event_types, saved, trace_page, views
from eventhub.traces.flow import views as flow
from eventhub.traces.processes import views as processes


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
    path("searches/save", saved.save, name="search-save"),
    path("searches/<int:pk>/forget", saved.forget, name="search-forget"),
    path("searches/complete", saved.complete, name="search-complete"),
    path("traces/<anytext:correlation_id>/", trace_page.trace_detail, name="trace"),
    path("events/<anytext:event_id>/", views.event_page, name="event"),
    path("map/", flow.flow_map, name="flow-map"),
    path("map/data", flow.flow_map_data, name="flow-map-data"),
    path("processes/", processes.process_list, name="processes"),
    path("processes/<int:pk>/", processes.process_detail, name="process"),
    path("processes/mined/<anytext:start_type>/name", processes.name, name="process-name"),
    path("processes/mined/<anytext:start_type>/", processes.mined, name="process-mined"),
    path("event-types/", event_types.type_list, name="event-types"),
    path("event-types/<anytext:name>/", event_types.type_detail, name="event-type"),
]
