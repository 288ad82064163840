from django.urls import path

from monitoring.views.alerts import alerts, end_silence, silence_alert, test_channel
from monitoring.views.exposition import metrics
from monitoring.views.figures import figures, figures_series
from monitoring.views.lag import lag, lag_group
from monitoring.views.overview import overview, overview_series
from monitoring.views.sources import limit_source, pause_source, resume_source, source, sources
from monitoring.views.storage import storage
from monitoring.views.wall import live_snapshot, share_wall, wall, wall_data

urlpatterns = [
    path("", overview, name="overview"),
    path("overview/series", overview_series, name="overview-series"),
    path("alerts/", alerts, name="alerts"),
    path("alerts/<int:pk>/silence", silence_alert, name="alert-silence"),
    path("alerts/silences/<int:pk>/end", end_silence, name="silence-end"),
    path("alerts/channels/<int:pk>/test", test_channel, name="channel-test"),
    path("metrics", metrics, name="metrics"),
    path("live/snapshot", live_snapshot, name="live-snapshot"),
    path("wall/", wall, name="wall"),
    path("wall/data", wall_data, name="wall-data"),
    path("wall/share", share_wall, name="wall-share"),
    path("figures/", figures, name="figures"),
    path("figures/series", figures_series, name="figures-series"),
    path("storage/", storage, name="storage"),
    path("lag/", lag, name="lag"),
    path("lag/<int:pk>/", lag_group, name="lag-group"),
    path("sources/", sources, name="sources"),
    path("sources/<slug:name>/", source, name="source"),
    path("sources/<slug:name>/pause", pause_source, name="source-pause"),
    path("sources/<slug:name>/limits", limit_source, name="source-limits"),
    path("sources/<slug:name>/resume", resume_source, name="source-resume"),
]
