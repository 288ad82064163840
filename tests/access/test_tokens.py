from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from eventhub.access.models import ApiToken, AuditEntry, Scope
from eventhub.access.tokens import allows, create_token, find_token

pytestmark = pytest.mark.django_db


def test_a_created_token_is_found_and_its_text_is_kept_nowhere():
    text = create_token("ci", Scope.READ)
    token = find_token(text)
    assert token is not None
    assert token.name == "ci"
    assert text not in str(ApiToken.objects.values().get())


def test_operate_includes_read_and_nothing_else_includes_another():
    operate = find_token(create_token("ops", Scope.OPERATE))
    ingest = find_token(create_token("shop", Scope.INGEST))
    assert operate
    assert ingest
    assert allows(operate, Scope.READ)
    assert not allows(operate, Scope.INGEST)
    assert not allows(ingest, Scope.READ)


def test_an_expired_a_revoked_and_an_unknown_token_are_not_found():
    expired = create_token("old", Scope.READ, expires_at=timezone.now() - timedelta(seconds=1))
    revoked = create_token("gone", Scope.READ)
    ApiToken.objects.filter(name="gone").update(revoked_at=timezone.now())
    assert find_token(expired) is None
    assert find_token(revoked) is None
    assert find_token("evh_nonsense") is None


def test_the_command_prints_a_token_that_works_and_leaves_an_audit_entry():
    out = StringIO()
    call_command("token", "create", "shop", "--scope", "ingest", stdout=out)
    token = find_token(out.getvalue().strip())
    assert token is not None
    assert token.scope == Scope.INGEST
    assert AuditEntry.objects.get().target == "shop"


def test_the_command_revokes_by_prefix():
    text = create_token("shop", Scope.INGEST)
    call_command("token", "revoke", text[:10], stdout=StringIO())
    assert find_token(text) is None
