"""API tokens: made once, shown once, kept as a digest."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.models import ApiToken, Scope

PREFIX = "evh_"
# What else a scope allows beside itself.
INCLUDES = {Scope.OPERATE: {Scope.READ}, Scope.CONFIGURE: {Scope.OPERATE, Scope.READ}}
# `last_used_at` is for people who clean up; writing it on every request would cost more than it tells.
USE_NOTED_EVERY = timedelta(minutes=1)


def create_token(
    name: str, scope: Scope, expires_at: datetime | None = None, sources: Sequence[str] = ()
) -> str:
    """Create a token and return its text, which is kept nowhere. With `sources` it is for these alone."""
    text = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        name=name,
        scope=scope,
        prefix=text[:10],
        digest=_digest(text),
        expires_at=expires_at,
        sources=sorted(set(sources)),
    )
    return text


@transaction.atomic
def revoke_tokens(tokens: QuerySet[ApiToken], actor: audit.Actor) -> list[ApiToken]:
    """End the validity of those of `tokens` that have not been revoked, and return them. Audited."""
    revoked = list(tokens.filter(revoked_at=None).select_for_update())
    ApiToken.objects.filter(pk__in=[token.pk for token in revoked]).update(revoked_at=timezone.now())
    for token in revoked:
        audit.record(actor, "revoke token", token.name, prefix=token.prefix)
    return revoked


def find_token(text: str) -> ApiToken | None:
    """The valid token with this text: known, not revoked, not expired. Notes that it was used."""
    now = timezone.now()
    token = (
        ApiToken.objects.filter(digest=_digest(text), revoked_at=None)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    if token and (token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def allows(token: ApiToken, scope: Scope) -> bool:
    """Whether `token` may do what `scope` stands for."""
    own = Scope(token.scope)
    return scope == own or scope in INCLUDES.get(own, set())


def _digest(text: str) -> str:
    # A token has 256 random bits, so a plain hash is as safe as a slow one.
    return hashlib.sha256(text.encode()).hexdigest()
