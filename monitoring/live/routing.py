from django.urls import URLPattern, path

from monitoring.live.consumers import LiveConsumer

websocket_urlpatterns: list[URLPattern] = [path("ws/live/", LiveConsumer.as_asgi())]  # type: ignore[arg-type]
