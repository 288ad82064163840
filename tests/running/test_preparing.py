import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser

from eventhub.access.groups import given_role
from eventhub.access.models import Role
from eventhub.running.preparing import create_administrator, create_viewer, migrate

pytestmark = pytest.mark.django_db


def administrator() -> AbstractBaseUser:
    return get_user_model().objects.get(username="admin")


def test_the_first_administrator_gets_a_password_that_works():
    is_new, password = create_administrator("")
    assert is_new
    assert password
    assert administrator().check_password(password)
    assert administrator().is_superuser


def test_a_given_password_is_taken_and_not_repeated():
    assert create_administrator("given-by-hand") == (True, None)
    assert administrator().check_password("given-by-hand")


def test_an_administrator_who_is_there_keeps_the_password():
    create_administrator("first")
    assert create_administrator("second") == (False, None)
    assert administrator().check_password("first")
    assert get_user_model().objects.count() == 1


def test_a_database_that_is_up_to_date_needs_no_migration():
    assert migrate() == 0


def test_the_demo_has_an_account_that_may_look_and_change_nothing():
    password = create_viewer()
    viewer = get_user_model().objects.get(username="viewer")
    assert viewer.check_password(password)
    assert not viewer.is_superuser
    assert given_role(viewer) == Role.VIEWER
    assert create_viewer() is None
