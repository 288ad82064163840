from django.conf import settings
from django.http import HttpRequest

from eventhub.pages import first_steps
from eventhub.pages.navigation import entries


def shell(request: HttpRequest) -> dict[str, object]:
    """What every page's shell shows: the environment's name and, for who is signed in, the rail and the guide."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"environment_name": settings.ENVIRONMENT_NAME, "navigation": []}
    match = request.resolver_match
    route = match.view_name if match else ""
    return {
        "environment_name": settings.ENVIRONMENT_NAME,
        "navigation": entries(is_staff=user.is_staff or user.has_perm("access.edit"), current_route=route),
        "wants_first_steps": lambda: first_steps.are_wanted(request),
        "on_first_steps": route == "first-steps",
    }
