from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, path

from eventhub.pages import guide
from eventhub.pages.signing_in import admin_login

urlpatterns: list[URLPattern] = [
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("admin/login/", admin_login),
    path("logout/", LogoutView.as_view(), name="logout"),
]
if settings.DEBUG:
    urlpatterns += [path("components/", guide.components, name="components")]
