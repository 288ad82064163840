"""Signing in through an OpenID Connect provider, beside local accounts (mozilla-django-oidc does the protocol).

A person is who the provider's `sub` says, not who has the same e-mail address or name. Groups that the provider tells
become roles, at every sign-in.
"""

from typing import Any

import jwt
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from eventhub.access import audit
from eventhub.access.groups import give_role
from eventhub.access.models import Identity, Role
from eventhub.access.outgoing_requests import session
from eventhub.access.roles import RANKS

TIMEOUT_S = 10
KEPT_S = 600
# What the library asks settings for, and the provider's own document tells.
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}


def is_on() -> bool:
    """Whether a provider is configured."""
    return bool(settings.OIDC_ISSUER and settings.OIDC_RP_CLIENT_ID)


def discovered() -> dict[str, Any]:
    """The provider's own description of itself, kept for ten minutes. Raises requests.RequestException."""
    key = f"oidc:{settings.OIDC_ISSUER}"
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        address = f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration"
        answer = session().get(address, timeout=TIMEOUT_S)
        answer.raise_for_status()
        found = answer.json()
        cache.set(key, found, KEPT_S)
    return found


def _setting(name: str, *default: Any) -> Any:
    if name in ENDPOINTS:
        return discovered()[ENDPOINTS[name]]
    return import_from_settings(name, *default)


class SignOnBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Who the provider vouches for is the account of that identity; a new identity gets an account."""

    get_settings = staticmethod(_setting)

    def __init__(self) -> None:
        self.UserModel = User

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """The account; None when this is no sign-in through the provider, or it was refused."""
        if request is None or not is_on() or "nonce" not in kwargs:
            return None
        super().__init__()  # asks the provider where its endpoints are: not where somebody enters a password
        found: User | None = super().authenticate(request, **kwargs)
        return found

    def verify_token(self, token: str, **kwargs: Any) -> Any:
        """The claims of an id token that is signed by our provider, for us."""
        claims = super().verify_token(token, **kwargs)
        audience = claims.get("aud")
        if settings.OIDC_RP_CLIENT_ID not in (audience if isinstance(audience, list) else [audience]):
            raise SuspiciousOperation("The id token is for somebody else.")
        if claims.get("iss") != discovered()["issuer"]:
            raise SuspiciousOperation("The id token is from another issuer.")
        return claims

    def retrieve_matching_jwk(self, token: str) -> Any:
        """The key that the token is signed with: by its id, or the only one of a provider that gives none an id."""
        keys = session().get(self.OIDC_OP_JWKS_ENDPOINT, timeout=TIMEOUT_S).json()["keys"]
        header = jwt.get_unverified_header(token)
        fit = [
            key
            for key in keys
            if key.get("use", "sig") == "sig"
            and key.get("alg", header["alg"]) == header["alg"]
            and (header.get("kid") is None or key.get("kid") == header["kid"])
        ]
        if len(fit) != 1:
            raise SuspiciousOperation("The provider has no key that this id token is signed with.")
        return jwt.PyJWK(fit[0], algorithm=header["alg"])

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The tokens for a code. Connects only where EventHub may, as everything here does."""
        answer = session().post(self.OIDC_OP_TOKEN_ENDPOINT, data=payload, timeout=TIMEOUT_S)
        self.raise_token_response_error(answer)
        told: dict[str, Any] = answer.json()
        return told

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        """What the provider tells; what it tells of somebody else than the id token is refused."""
        answer = session().get(
            self.OIDC_OP_USER_ENDPOINT, headers={"Authorization": f"Bearer {access_token}"}, timeout=TIMEOUT_S
        )
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        if told.get("sub") != payload.get("sub"):
            raise SuspiciousOperation("The provider answered for somebody else.")
        return payload | told

    def verify_claims(self, claims: dict[str, Any]) -> bool:
        """Whether this person may come in at all."""
        if not claims.get("sub"):
            return False
        return not settings.OIDC_ROLES_NEEDED or role_in(claims) is not None

    def filter_users_by_claims(self, claims: dict[str, Any]) -> Any:
        """The account of this identity."""
        return User.objects.filter(identities__issuer=claims["iss"], identities__subject=claims["sub"])

    @transaction.atomic
    def create_user(self, claims: dict[str, Any]) -> User:
        """An account for a new identity. A local account that has its name is somebody else's, and stays so."""
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])[:150]
        if User.objects.filter(username=name).exists():
            raise SuspiciousOperation(
                f"There is a local account {name}. An administrator renames it, or adds the identity to it."
            )
        user = User.objects.create_user(name, email=str(claims.get("email") or "")[:254])
        Identity.objects.create(user=user, issuer=claims["iss"], subject=claims["sub"])
        audit.record(audit.SYSTEM, "add", f"user {name}", because="single sign-on", issuer=claims["iss"])
        return self.update_user(user, claims)

    def update_user(self, user: User, claims: dict[str, Any]) -> User:
        """Give the role that the groups say; without OIDC_ROLES roles are given in the admin."""
        if settings.OIDC_ROLES:
            give_role(user, role_in(claims), audit.SYSTEM, why="groups of single sign-on")
        return User.objects.get(pk=user.pk)


def role_in(claims: dict[str, Any]) -> Role | None:
    """The highest role that a group of this person stands for."""
    groups = claims.get(settings.OIDC_GROUPS_CLAIM) or []
    names = [groups] if isinstance(groups, str) else groups
    roles = [Role(settings.OIDC_ROLES[name]) for name in names if name in settings.OIDC_ROLES]
    return max(roles, key=RANKS.__getitem__) if roles else None


class Begin(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Send the browser to the provider."""

    get_settings = staticmethod(_setting)

    def __init__(self, **kwargs: Any) -> None:
        self._away = False
        try:
            if is_on():
                super().__init__(**kwargs)
        except requests.RequestException:
            self._away = True

    def get(self, request: HttpRequest) -> HttpResponse:
        """To the provider; back to the login where it cannot be reached."""
        if not is_on():
            raise Http404("Single sign-on is not configured.")
        if self._away:
            return HttpResponseRedirect(f"{resolve_url('login')}?sso=away")
        answer: HttpResponse = super().get(request)
        return answer


class Finish(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """The browser comes back from the provider."""

    @property
    def failure_url(self) -> str:
        """The login, which says that it was refused."""
        return f"{resolve_url('login')}?sso=refused"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sign in, or back to the login with the reason."""
        if not is_on():
            raise Http404("Single sign-on is not configured.")
        try:
            answer: HttpResponse = super().get(request)
        except requests.RequestException:
            return HttpResponseRedirect(f"{resolve_url('login')}?sso=away")
        return answer
