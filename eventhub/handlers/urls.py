from django.urls import path, re_path

from eventhub.handlers import views

urlpatterns = [
    path("handlers/", views.handlers, name="handlers"),
    path("handlers/replays/<int:pk>/cancel", views.cancel_replay, name="handler-replay-cancel"),
    path("handlers/<str:name>/", views.handler, name="handler"),
    path("handlers/<str:name>/off", views.switch_off, name="handler-off"),
    path("handlers/<str:name>/replay", views.replay, name="handler-replay"),
    re_path(
        r"^handlers/(?P<name>[^/]+)/(?P<verb>pause|resume|enable|disable|try-again)$",
        views.change,
        name="handler-change",
    ),
]
