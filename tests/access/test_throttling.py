import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from eventhub.access.models import Role, Scope
from tests.access.people import browser, person, script

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", password="right-one-1")


def sign_in(client: Client, password: str, name: str = "ann") -> int:
    return client.post("/login/", {"username": name, "password": password}).status_code


def test_who_guesses_passwords_is_told_how_long_to_wait(ann: User) -> None:
    client = browser()
    assert [sign_in(client, f"wrong-{n}") for n in range(4)] == [200] * 4
    answer = client.post("/login/", {"username": "ann", "password": "wrong-5"})
    assert answer.status_code == 429
    assert "for 15 minutes" in answer.content.decode()
    assert answer["Retry-After"] == "900"
    assert sign_in(client, "right-one-1") == 429


def test_others_sign_in_meanwhile_and_a_right_password_forgets_the_wrong_ones(ann: User) -> None:
    User.objects.create_user("bob", password="right-one-1")
    client = browser()
    for _ in range(4):
        sign_in(client, "wrong")
    assert sign_in(client, "right-one-1") == 302
    client = browser()
    assert [sign_in(client, "wrong") for _ in range(4)] == [200] * 4
    sign_in(client, "wrong")
    assert sign_in(browser(), "right-one-1", "bob") == 302


@pytest.fixture
def limit(settings) -> int:
    cache.clear()
    settings.API_RATE_LIMIT = 3
    return 3


def test_a_token_that_asks_too_often_gets_429_and_when_to_come_again(limit: int) -> None:
    client, headers = browser(), script(Scope.READ)
    answers = [client.get("/api/source-kinds", headers=headers) for _ in range(limit + 1)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert "Ask again in" in answers[-1].json()["detail"]
    assert client.get("/api/source-kinds", headers=script(Scope.READ)).status_code == 200


def test_a_person_is_counted_too(limit: int) -> None:
    client = browser(person(Role.VIEWER))
    assert [client.get("/api/source-kinds").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_without_redis_nobody_is_held_up(limit: int, settings) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "eventhub.running.cache.ForgivingRedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    client, headers = browser(), script(Scope.READ)
    assert [client.get("/api/source-kinds", headers=headers).status_code for _ in range(5)] == [200] * 5
