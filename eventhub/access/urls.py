from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, path

from eventhub.access.single_sign_on import Begin, Finish

urlpatterns: list[URLPattern] = [
    path("login/sso/", login_not_required(Begin.as_view()), name="sso"),
    path("login/sso/callback/", login_not_required(Finish.as_view()), name="sso-callback"),
]
