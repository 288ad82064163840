from django.contrib import admin
from django.urls import include, path

from eventhub import api
from eventhub.pages.health import healthz
from monitoring.readiness import readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/", api.urls()),
    path("registry/", include("eventhub.schemas.registry.urls")),
    path("", include("eventhub.access.urls")),
    path("", include("eventhub.catalogue.urls")),
    path("", include("dlq.urls")),
    path("", include("eventhub.handlers.urls")),
    path("", include("eventhub.sagas.urls")),
    path("", include("eventhub.sourcing.urls")),
    path("", include("eventhub.pages.urls")),
    path("", include("eventhub.traces.urls")),
    path("", include("eventhub.sources.urls")),
    path("", include("eventhub.welcome.urls")),
    path("", include("eventhub.palette.urls")),
    path("", include("monitoring.review.urls")),
    path("", include("monitoring.urls")),
    path("admin/", admin.site.urls),
]
