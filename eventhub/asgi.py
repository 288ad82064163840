"""The ASGI application: Django for HTTP, Channels for what is live."""

import os
import warnings

from django.core.asgi import get_asgi_application

# WhiteNoise hands out small files from memory; Django warns of each that it did so synchronously.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventhub.settings")
django_application = get_asgi_application()

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
