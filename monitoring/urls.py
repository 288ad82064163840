from django.urls import path

from monitoring.views.lag import lag, lag_group
from monitoring.views.overview import overview, overview_series
from monitoring.views.sources import pause_source, resume_source, source, sources

urlpatterns = [
    path("", overview, name="overview"),
    path("overview/series", overview_series, name="overview-series"),
    path("lag/", lag, name="lag"),
    path("lag/<int:pk>/", lag_group, name="lag-group"),
    path("sources/", sources, name="sources"),
    path("sources/<slug:name>/", source, name="source"),
    path("sources/<slug:name>/pause", pause_source, name="source-pause"),
    path("sources/<slug:name>/resume", resume_source, name="source-resume"),
]
