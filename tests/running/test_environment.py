import stat

from eventhub.running.environment import read_environment, write_environment
from eventhub.running.options import read_options
from eventhub.running.services import allowed_hosts, settings_of_this_run

URLS = {"database_url": "postgresql://a/b", "redis_url": "redis://c/0"}


def test_what_is_written_is_read_and_only_its_owner_may(tmp_path):
    write_environment(tmp_path, {"SECRET_KEY": "a=b=c", "REDIS_URL": "redis://x/0"})
    assert read_environment(tmp_path) == {"SECRET_KEY": "a=b=c", "REDIS_URL": "redis://x/0"}
    assert stat.S_IMODE((tmp_path / "environment").stat().st_mode) == 0o600


def test_a_folder_where_it_never_ran_has_no_environment(tmp_path):
    assert read_environment(tmp_path) == {}


def test_the_secret_key_is_made_once_and_stays():
    first = settings_of_this_run({}, {}, **URLS)
    assert len(first["SECRET_KEY"]) >= 50
    assert settings_of_this_run({}, first, **URLS)["SECRET_KEY"] == first["SECRET_KEY"]
    assert settings_of_this_run({"SECRET_KEY": "mine"}, first, **URLS)["SECRET_KEY"] == "mine"


def test_the_embedded_redis_keeps_its_address_while_another_one_is_used():
    first = settings_of_this_run({}, {}, **URLS)
    assert first["EMBEDDED_REDIS_URL"] == "redis://c/0"
    other = settings_of_this_run(
        {"REDIS_URL": "redis://o/0"}, first, database_url="d", redis_url="redis://o/0"
    )
    assert other["REDIS_URL"] == "redis://o/0"
    assert other["EMBEDDED_REDIS_URL"] == "redis://c/0"


def test_another_broker_for_celery_is_written_down_and_forgotten_with_the_variable(tmp_path):
    first = settings_of_this_run({"CELERY_BROKER_URL": "amqp://r//"}, {}, **URLS)
    assert first["CELERY_BROKER_URL"] == "amqp://r//"
    assert "CELERY_BROKER_URL" not in settings_of_this_run({}, first, **URLS)


def test_only_a_server_that_others_reach_answers_to_other_names(tmp_path):
    assert allowed_hosts(read_options({}, tmp_path)) == "127.0.0.1,localhost,[::1]"
    assert "192.0.2.7" in allowed_hosts(read_options({"HOST": "192.0.2.7"}, tmp_path)).split(",")
    assert "0.0.0.0" not in allowed_hosts(read_options({"HOST": "0.0.0.0"}, tmp_path)).split(",")
