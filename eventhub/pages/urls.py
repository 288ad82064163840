from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, path

from eventhub.pages import guide
from eventhub.pages.signing_in import admin_login


def sso() -> str:
    """What single sign-on is called on the login page; empty where there is none."""
    return settings.OIDC_LABEL if settings.OIDC_ISSUER and settings.OIDC_RP_CLIENT_ID else ""


urlpatterns: list[URLPattern] = [
    path(
        "login/",
        LoginView.as_view(redirect_authenticated_user=True, extra_context={"sso": sso}),
        name="login",
    ),
    path("admin/login/", admin_login),
    path("logout/", LogoutView.as_view(), name="logout"),
]
if settings.DEBUG:
    urlpatterns += [path("components/", guide.components, name="components")]
