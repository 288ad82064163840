from django.urls import path, re_path

from eventhub.sourcing import views

urlpatterns = [
    path("streams/", views.streams, name="streams"),
    path("streams/<path:name>/", views.stream, name="stream"),
    path("projections/", views.projections, name="projections"),
    re_path(
        r"^projections/(?P<name>[a-z0-9_]+)/(?P<verb>pause|resume|skip|rebuild)$",
        views.change_projection,
        name="projection-change",
    ),
]
