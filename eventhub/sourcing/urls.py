from django.urls import path, re_path

from eventhub.sourcing import views, views_replays

urlpatterns = [
    path("streams/", views.streams, name="streams"),
    path("streams/<path:name>/", views.stream, name="stream"),
    path("projections/", views.projections, name="projections"),
    re_path(
        r"^projections/(?P<name>[a-z0-9_]+)/(?P<verb>pause|resume|skip|rebuild)$",
        views.change_projection,
        name="projection-change",
    ),
    path("replays/", views_replays.replays, name="replays"),
    path("replays/new", views_replays.new_replay, name="replay-new"),
    path("replays/<int:pk>/cancel", views_replays.cancel_replay, name="replay-cancel"),
]
