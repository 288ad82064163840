"""The ASGI application: Django for HTTP, Channels for what is live."""

import os
import warnings

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase

# WhiteNoise hands out small files from memory; Django warns of each that it did so synchronously.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventhub.settings")
django.setup(set_prefix=False)


class InOneThread(ASGIHandler):
    """Django, for middleware and views that are synchronous: a request goes to its thread once.

    As it comes, Django goes there for the middleware, back to the loop for the view, and there again for running it,
    which takes longer than the reading of a small trace.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """The chain as under WSGI."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, made in the request's thread. Views that are asynchronous are run from there."""
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


django_application = InOneThread()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from eventhub.running import stopping  # noqa: E402
from monitoring.live.lifespan import Lifespan  # noqa: E402
from monitoring.live.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
        # Requests that uvicorn has waited for in vain (for three seconds) are not waited for in their threads.
        "lifespan": Lifespan(lambda: stopping.end_in(4.0)),
    }
)
