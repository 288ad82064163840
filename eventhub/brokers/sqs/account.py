"""Reaching Amazon SQS: credentials, region, addresses of queues, and its errors in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import botocore.session
import msgspec
from botocore import UNSIGNED
from botocore import exceptions as boto
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from eventhub.brokers.adapter import BadConfig, BrokerError
from eventhub.brokers.configs import SqsConfig

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S = 3
# Beyond what a request waits for messages.
ANSWER_TIMEOUT_S = 10
ATTEMPTS = 2
# Clients are costly to make and safe to share between threads.
MAX_KEPT = 32
# Where neither the config nor the environment says, and the server does not care.
ANY_REGION = "us-east-1"

NO_SUCH_QUEUE = {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}
DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "KmsAccessDenied",
    "KMS.AccessDeniedException",
}
NOT_AUTHENTICATED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
NO_ANSWER = (boto.HTTPClientError, boto.ConnectionError)
NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.RefreshWithMFAUnsupportedError,
)


class Unreachable(BrokerError):
    """Nobody answers."""


class Unusable(BrokerError):
    """A queue cannot be used with these credentials; others may."""


class NoSuchQueue(Unusable):
    """There is no queue of that name, or these credentials may not see it."""


class Account:
    """A client for one config, and the addresses of the queues asked for. Threads share it."""

    def __init__(self, config: SqsConfig) -> None:
        """Find credentials and region; talks to nobody but those who have credentials to give. Raises BrokerError."""
        self._config = config
        self._urls: dict[str, str] = {}
        with self.errors():
            session = _session(config)
            endpoint_url = config.endpoint_url or _endpoint_of(config.queues)
            region = session.region_name or _region_of(config.queues) or (endpoint_url and ANY_REGION)
            is_anonymous = endpoint_url is not None and session.get_credentials() is None
            self.client: SQSClient = session.client(
                "sqs",
                region_name=region,
                endpoint_url=endpoint_url,
                config=Config(
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=config.wait_time_s + ANSWER_TIMEOUT_S,
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                    max_pool_connections=config.receivers * (len(config.queues) + 1) + 2,
                    tcp_keepalive=True,
                    parameter_validation=False,  # a good part of the work of a request; mypy checks the types
                    signature_version=UNSIGNED if is_anonymous else None,
                ),
            )

    def url_of(self, queue: str) -> str:
        """The URL of a queue named by name, ARN or URL. Raises BrokerError."""
        if queue.startswith(("http://", "https://")):
            return queue
        if queue not in self._urls:
            owner = queue.split(":")[4] if queue.startswith("arn:") and queue.count(":") >= 5 else ""
            named = {"QueueName": name_of(queue)} | ({"QueueOwnerAWSAccountId": owner} if owner else {})
            with self.errors(queue):
                self._urls[queue] = self.client.get_queue_url(**named)["QueueUrl"]
        return self._urls[queue]

    @contextmanager
    def errors(self, queue: str = "") -> Iterator[None]:
        """What goes wrong inside, with `queue` if it was about one, as BrokerError."""
        try:
            yield
        except (boto.BotoCoreError, boto.ClientError, ValueError) as error:
            _forget(self._config)
            raise self.in_words(error, queue) from error

    def in_words(self, error: Exception, queue: str = "") -> BrokerError:
        """What `error` means, and what to do."""
        config = self._config
        said = _sentence(error)
        where = config.endpoint_url or _endpoint_of(config.queues) or "AWS"
        match error:
            case BrokerError():
                return error
            case boto.ProfileNotFound():
                return BadConfig(
                    f"There is no profile {config.profile!r} in the AWS configuration where this runs. Check 'profile' "
                    "and the files ~/.aws/config and ~/.aws/credentials (or AWS_CONFIG_FILE) there."
                )
            case boto.NoRegionError() | boto.InvalidRegionError():
                return BadConfig(
                    f"The AWS region is missing or wrong: {said} Set 'region', e.g. \"eu-central-1\"."
                )
            case _ if isinstance(error, NO_CREDENTIALS):
                return BrokerError(
                    f"No AWS credentials could be had: {said} Give 'access_key_id' and 'secret_access_key', a "
                    "'profile', or run where AWS provides them (environment, instance or task role)."
                )
            case _ if isinstance(error, NO_ANSWER):
                return Unreachable(
                    f"SQS at {where} cannot be reached: {said} Check 'endpoint_url' and 'region', and that nothing "
                    "blocks the way from here to it."
                )
            case boto.ClientError():
                return self._refusal(error, queue, where)
        return BrokerError(f"SQS at {where} cannot be used: {said}")

    def _refusal(self, error: boto.ClientError, queue: str, where: str) -> BrokerError:
        code, text = code_of(error), _sentence(error.response.get("Error", {}).get("Message", ""))
        if error.operation_name == "AssumeRole":
            return BrokerError(
                f"The role {self._config.role_arn} cannot be assumed ({code}): {text} Check its trust."
            )
        about = f"the queue {name_of(queue)!r}" if queue else "the queue"
        if code in NO_SUCH_QUEUE:
            region = self.client.meta.region_name
            return NoSuchQueue(
                f"There is no queue {name_of(queue)!r} in {region} at {where} that these credentials can see. Check "
                "its name, 'region' and the account."
            )
        if code in DENIED:
            return Unusable(
                f"AWS denies access to {about}: {text} To read it needs sqs:GetQueueUrl, sqs:GetQueueAttributes, "
                "sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility; to publish, sqs:SendMessage; "
                "with a key of KMS also kms:Decrypt and kms:GenerateDataKey."
            )
        if code in NOT_AUTHENTICATED:
            return BrokerError(
                f"AWS does not accept the credentials ({code}): {text} Check the keys and the role."
            )
        return BrokerError(f"SQS refused {error.operation_name} for {about} ({code}): {text}")


def account_of(config: SqsConfig) -> Account:
    """The Account for `config`, made once in each process and anew after something went wrong. Raises BrokerError."""
    key = _key(config)
    account = _accounts.get(key)
    if account is None:
        account = _accounts[key] = Account(config)
        while len(_accounts) > MAX_KEPT:
            _accounts.pop(next(iter(_accounts)), None)
    return account


def name_of(queue: str) -> str:
    """The name of a queue that was given by name, ARN or URL."""
    return queue.rsplit(":", 1)[-1] if queue.startswith("arn:") else queue.rstrip("/").rsplit("/", 1)[-1]


def code_of(error: boto.ClientError) -> str:
    """The code that AWS gives the error."""
    return error.response.get("Error", {}).get("Code", "")


def _sentence(said: object) -> str:
    text = str(said).rstrip(".! ")
    return f"{text}." if text else ""


_accounts: dict[bytes, Account] = {}


def _key(config: SqsConfig) -> bytes:
    # A process that was forked must not use its parent's connections.
    return b"%d %s" % (os.getpid(), msgspec.json.encode(config))


def _forget(config: SqsConfig) -> None:
    """Credentials may have been changed since; the next one looks for them again."""
    _accounts.pop(_key(config), None)


def _session(config: SqsConfig) -> boto3.Session:
    if bool(config.access_key_id) != bool(config.secret_access_key):
        raise BadConfig("Give both 'access_key_id' and 'secret_access_key', or neither.")
    session = boto3.Session(
        aws_access_key_id=config.access_key_id,
        aws_secret_access_key=config.secret_access_key,
        aws_session_token=config.session_token,
        profile_name=config.profile,
        region_name=config.region,
        botocore_session=botocore.session.get_session(),
    )
    if not config.role_arn:
        return session
    own = session.get_credentials()
    if own is None:
        raise boto.NoCredentialsError
    told = {"RoleSessionName": "eventhub"} | (
        {"ExternalId": config.external_id} if config.external_id else {}
    )
    fetcher = AssumeRoleCredentialFetcher(session.client, own, config.role_arn, extra_args=told)
    assumed = botocore.session.get_session()
    # The way botocore itself uses for roles of profiles; there is no public one that refreshes by itself.
    credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    assumed._credentials = credentials  # type: ignore[attr-defined]
    return boto3.Session(botocore_session=assumed, region_name=session.region_name)


def _region_of(queues: list[str]) -> str | None:
    """The region in the first URL or ARN that tells one."""
    for queue in queues:
        parts = queue.split(":")
        if queue.startswith("arn:") and len(parts) > 3:
            return parts[3]
        host = (urlsplit(queue).hostname or "").split(".")
        if host[0] == "sqs" and "amazonaws" in host[2:]:
            return host[1]
    return None


def _endpoint_of(queues: list[str]) -> str | None:
    """The address in the first URL that is not one of AWS's own."""
    for queue in queues:
        address = urlsplit(queue)
        if address.scheme in {"http", "https"} and "amazonaws" not in (address.hostname or "").split("."):
            return f"{address.scheme}://{address.netloc}"
    return None
