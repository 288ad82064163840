"""Credentials, regions and errors; for what only AWS has (roles, metadata) a small server of the test's own."""

import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from eventhub.brokers.adapter import BadConfig, BrokerError, open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.sqs import account
from eventhub.brokers.trying import try_connection
from tests.brokers.sqs.door import refusal

pytestmark = pytest.mark.integration

KEYS = {"access_key_id": "AKID", "secret_access_key": "s", "region": "eu-central-1"}


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch, tmp_path):
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(account, "_accounts", {})


@pytest.fixture
def name(queue):
    return queue()


def asked(door, name, **config):
    """What the request for the queue's lag was signed with: access key, region, session token."""
    source = Source(name="t", kind=Kind.SQS, config={"queues": [name], "endpoint_url": door.url} | config)
    adapter = open_adapter(source)
    adapter.lag()
    adapter.close()
    found = re.search(r"Credential=([^/]+)/\d+/([^/]+)/sqs", door.headers.get("Authorization", ""))
    return (*found.groups(), door.headers.get("X-Amz-Security-Token")) if found else None


def test_keys_in_the_config_are_used_with_their_region_and_session_token(name, door):
    keys = {"access_key_id": "AKIDCONFIG", "secret_access_key": "s", "region": "eu-central-1"}
    assert asked(door, name, **keys) == ("AKIDCONFIG", "eu-central-1", None)
    assert asked(door, name, **keys, session_token="token") == ("AKIDCONFIG", "eu-central-1", "token")


def test_keys_in_the_environment_are_found(name, door, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert asked(door, name) == ("AKIDENV", "eu-west-3", None)


def test_a_profile_is_found_with_its_region(name, door, tmp_path):
    (tmp_path / "credentials").write_text(
        "[shop]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n"
    )
    (tmp_path / "config").write_text("[profile shop]\nregion = eu-north-1\n")
    assert asked(door, name, profile="shop") == ("AKIDPROFILE", "eu-north-1", None)


@pytest.fixture
def aws(monkeypatch):
    """Where roles and metadata are asked for: path → answer, and the bodies that were sent."""
    answers, bodies = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = answers.get(self.path.partition("?")[0], (404, ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.do_GET()

        do_PUT = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers, bodies
    server.shutdown()
    server.server_close()


def expiring(access_key):
    expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "Code": "Success",
        "AccessKeyId": access_key,
        "SecretAccessKey": "s",
        "Token": "temporary",
        "Expiration": expires,
    }


def test_an_instance_role_is_found(name, door, aws, monkeypatch):
    url, answers, _ = aws
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    answers["/latest/api/token"] = (200, "t")
    answers["/latest/meta-data/iam/security-credentials/"] = (200, "eventhub")
    answers["/latest/meta-data/iam/security-credentials/eventhub"] = (
        200,
        json.dumps(expiring("AKIDINSTANCE")),
    )
    assert asked(door, name, region="eu-central-1") == ("AKIDINSTANCE", "eu-central-1", "temporary")


def test_a_role_of_a_container_is_found(name, door, aws, monkeypatch):
    url, answers, _ = aws
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/creds")
    answers["/creds"] = (200, json.dumps(expiring("AKIDTASK")))
    assert asked(door, name, region="eu-central-1") == ("AKIDTASK", "eu-central-1", "temporary")


def test_a_role_is_assumed_with_the_keys_there_are(name, door, aws, monkeypatch):
    url, answers, bodies = aws
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    role = expiring("AKIDROLE")
    answers["/"] = (
        200,
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>temporary</SessionToken>"
        f"<Expiration>{role['Expiration']}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:eventhub"
        "</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/eventhub/eventhub</Arn></AssumedRoleUser>"
        "</AssumeRoleResult></AssumeRoleResponse>",
    )
    keys = {"access_key_id": "AKIDOWN", "secret_access_key": "s", "region": "eu-central-1"}
    config = {"role_arn": "arn:aws:iam::123456789012:role/eventhub", "external_id": "shop"}
    assert asked(door, name, **keys, **config) == ("AKIDROLE", "eu-central-1", "temporary")
    [request] = map(parse_qs, bodies)
    assert request["RoleArn"] == ["arn:aws:iam::123456789012:role/eventhub"]
    assert (request["RoleSessionName"], request["ExternalId"]) == (["eventhub"], ["shop"])


def test_a_role_that_may_not_be_assumed_is_named(name, door, aws, monkeypatch):
    url, answers, _ = aws
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    answers["/"] = (
        403,
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        "<Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/a is not authorized</Message></Error>"
        "</ErrorResponse>",
    )
    with pytest.raises(
        BrokerError, match=r"role arn:aws:iam::1:role/b cannot be assumed \(AccessDenied\): User"
    ):
        asked(door, name, **KEYS, role_arn="arn:aws:iam::1:role/b")


def test_a_server_that_asks_for_no_credentials_gets_none(name, door):
    assert asked(door, name) is None


def test_region_and_server_are_taken_from_the_address_of_a_queue(queue, door, client):
    keys = {"access_key_id": "AKID", "secret_access_key": "s"}
    arn = f"arn:aws:sqs:eu-south-1:000000000000:{queue()}"
    assert asked(door, arn, **keys)[1] == "eu-south-1"
    url = f"{door.url}/000000000000/{queue()}"
    source = Source(name="t", kind=Kind.SQS, config={"queues": [url]} | keys)
    adapter = open_adapter(source)
    assert [lag.messages for lag in adapter.lag()] == [0]
    adapter.close()
    assert account._region_of(["https://sqs.eu-west-1.amazonaws.com/123456789012/orders"]) == "eu-west-1"
    assert account._endpoint_of(["https://sqs.eu-west-1.amazonaws.com/123456789012/orders"]) is None


@pytest.mark.parametrize(
    ("config", "kind", "words"),
    [
        ({"access_key_id": "AKID"}, BadConfig, "both 'access_key_id' and 'secret_access_key'"),
        ({"profile": "nobody", "region": "eu-central-1"}, BadConfig, "no profile 'nobody'"),
        ({"access_key_id": "AKID", "secret_access_key": "s"}, BadConfig, "Set 'region'"),
        ({**KEYS, "region": "not a region"}, BadConfig, "Set 'region'"),
        ({"region": "eu-central-1"}, BrokerError, "No AWS credentials could be had"),
        ({"region": "eu-central-1", "role_arn": "arn:aws:iam::1:role/a"}, BrokerError, "No AWS credentials"),
    ],
    ids=[
        "half a key",
        "no such profile",
        "no region",
        "odd region",
        "no credentials",
        "role without credentials",
    ],
)
def test_what_is_missing_to_reach_aws_is_said(config, kind, words):
    source = Source(name="t", kind=Kind.SQS, config={"queues": ["orders"]} | config)
    with pytest.raises(kind, match=words):
        open_adapter(source).lag()


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("AccessDeniedException", 400, "denies access to the queue 'orders'.*sqs:ReceiveMessage"),
        ("KmsAccessDenied", 400, "denies access.*kms:Decrypt"),
        ("InvalidClientTokenId", 403, "does not accept the credentials"),
        ("ExpiredToken", 403, "does not accept the credentials"),
        ("QueueDoesNotExist", 400, "no queue 'orders' in eu-central-1"),
        ("SomethingElse", 400, "SQS refused GetQueueUrl.*SomethingElse.*as AWS would say"),
        ("InternalFailure", 500, "InternalFailure"),
    ],
)
def test_what_aws_refuses_is_said_in_words(code, status, words, door):
    door.answer = lambda operation, request: refusal(code, status=status)
    config = {"queues": ["orders"], "endpoint_url": door.url} | KEYS
    report = try_connection(Source(name="t", kind=Kind.SQS, config=config))
    assert not report.ok
    assert re.search(words, report.text)


@pytest.mark.parametrize("operation", ["lag", "poll"])
def test_a_queue_that_is_not_there_is_named(operation, reader):
    adapter = reader("nowhere-to-be-found")
    with pytest.raises(BrokerError, match="no queue 'nowhere-to-be-found' in elasticmq"):
        adapter.lag() if operation == "lag" else adapter.poll(10, 5)


def test_denied_reading_is_said_when_it_is_polled(name, door, reader):
    door.answer = lambda operation, request: (
        refusal("AccessDeniedException") if operation == "ReceiveMessage" else None
    )
    with pytest.raises(BrokerError, match=f"denies access to the queue '{name}'"):
        reader(name, endpoint_url=door.url).poll(10, 5)


@pytest.mark.parametrize("operation", ["lag", "poll"])
def test_a_server_that_is_not_there_is_named_and_soon(operation, reader):
    adapter = reader("orders", endpoint_url="http://127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(BrokerError, match=r"SQS at http://127\.0\.0\.1:1 cannot be reached"):
        adapter.lag() if operation == "lag" else adapter.poll(10, 10)
    adapter.close()
    assert time.monotonic() - began < 9


def test_what_goes_wrong_makes_the_next_one_look_for_credentials_again(name, door, monkeypatch):
    door.answer = lambda operation, request: refusal("ExpiredToken", status=403)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with pytest.raises(BrokerError, match="credentials"):
        asked(door, name, region="eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDNEW")
    door.answer = lambda operation, request: None
    assert asked(door, name, region="eu-central-1")[0] == "AKIDNEW"
