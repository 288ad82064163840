from django.conf import settings
from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, object]:
    """What every page's shell shows."""
    return {"environment_name": settings.ENVIRONMENT_NAME}
