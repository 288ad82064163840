from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url


@login_not_required
def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin's own login gives way to ours; who is signed in and comes here is not allowed in the admin."""
    if request.user.is_authenticated:
        raise PermissionDenied
    back = request.GET.get("next") or resolve_url("admin:index")
    return redirect(f"{resolve_url('login')}?{urlencode({'next': back})}")
