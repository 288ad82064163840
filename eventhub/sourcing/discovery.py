"""Finding what other apps build on streams: ``aggregates.py`` and ``projections.py`` of every installed app."""

from django.utils.module_loading import autodiscover_modules


def discover() -> None:
    """Import the modules. An error in one of them is raised: it must not go unseen."""
    autodiscover_modules("aggregates", "projections")
