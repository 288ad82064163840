"""Clients of a Kafka cluster, as a source's config asks for them, and what their errors mean for people."""

from time import monotonic
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from eventhub.brokers.adapter import BadConfig, BrokerError
from eventhub.brokers.configs.kafka import KafkaConfig

# What a client is told unless the source's own settings say otherwise.
DEFAULTS: dict[str, Any] = {
    # A broker that comes back is found again within seconds.
    "reconnect.backoff.ms": 200,
    "reconnect.backoff.max.ms": 2_000,
    "socket.connection.setup.timeout.ms": 5_000,
    "socket.timeout.ms": 20_000,
    "socket.keepalive.enable": True,
    # What goes wrong is told by error_cb; a log of every attempt to connect would tell nothing more.
    "log_level": 0,
    "log.connection.close": False,
}
SIGN_IN = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}
# Says that no broker can be reached, and not why.
VAGUE = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._TRANSPORT}
NO_SUCH_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError._UNKNOWN_TOPIC,
}


def client_settings(config: KafkaConfig, client_id: str) -> dict[str, Any]:
    """What every client of the source has in common. Raises BadConfig for what would be missed at signing in."""
    settings = {
        **DEFAULTS,
        **config.settings,
        "client.id": client_id,
        "bootstrap.servers": config.bootstrap_servers,
        "security.protocol": config.security,
        "ssl.ca.pem": config.ca_certificate,
        "ssl.certificate.pem": config.client_certificate,
        "ssl.key.pem": config.client_key,
        "ssl.key.password": config.client_key_password,
    }
    if config.security.startswith("sasl"):
        for name in ("sasl_mechanism", "username", "password"):
            if not getattr(config, name):
                raise BadConfig(f"With the security {config.security!r} the config needs {name!r} as well.")
        settings |= {
            "sasl.mechanism": config.sasl_mechanism,
            "sasl.username": config.username,
            "sasl.password": config.password,
        }
    return {name: value for name, value in settings.items() if value is not None}


def make(kind: Any, settings: dict[str, Any]) -> Any:
    """A client of `kind` (Consumer, Producer, AdminClient). Raises BadConfig for settings that it does not take."""
    try:
        return kind(settings)
    except (KafkaException, TypeError, ValueError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise BadConfig(
            f"Kafka's client cannot be set up so: {reason}. Check settings and certificates."
        ) from error


class Trouble:
    """What a client says about its connections, from when it becomes true until it is over."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._reason: KafkaError | None = None
        # Since when no broker can be reached, by monotonic(); None while one can.
        self.down_since: float | None = None
        # A client that can never work again says why.
        self.fatal: KafkaError | None = None
        self._is_fresh = True

    def ask_anew(self) -> None:
        """From now on only what the client says anew explains anything: brokers may have come back meanwhile."""
        self._is_fresh = False

    def note(self, error: KafkaError) -> None:
        """The client's error_cb."""
        self._is_fresh = True
        if error.fatal():
            self.fatal = error
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.down_since = self.down_since or monotonic()
        # Why signing in failed says more than that the connection is closed after it.
        elif self._reason is None or self._reason.code() not in SIGN_IN | {KafkaError._SSL}:
            self._reason = error

    def is_over(self) -> None:
        """A broker answered."""
        self._reason = self.down_since = None

    @property
    def is_explained(self) -> bool:
        """Whether no broker can be reached and it is known why, so that waiting longer will tell no more."""
        return self._is_fresh and self.down_since is not None and self._reason is not None

    def words(self, error: KafkaError | None = None) -> str:
        """What is wrong and what to do; `error` is what came of it, such as a time that ran out."""
        if self._reason is not None and (error is None or error.code() in VAGUE):
            return explain(self._reason, self._servers)
        if error is None or error.code() in VAGUE:
            return (
                f"No Kafka answers at {self._servers}. Check the address, that nothing blocks the way, and that "
                "'security' says what the port speaks (TLS, SASL or neither)."
            )
        return explain(error, self._servers)


def explain(error: KafkaError, servers: str = "", topic: str = "", group: str = "") -> str:
    """What a Kafka error means for a person, and what to do."""
    code, text = error.code(), error.str()
    if code == KafkaError._RESOLVE:
        return f"Unknown host: {text}. Check the names in bootstrap_servers, and those the brokers advertise."
    if code in SIGN_IN or code == KafkaError.UNSUPPORTED_SASL_MECHANISM:
        return (
            f"Kafka refused the authentication: {text}. Check username, password and sasl_mechanism, and that the port "
            "is one for SASL."
        )
    if code == KafkaError._SSL or "SSL" in text:
        return f"TLS failed: {text}. Check 'security', the certificates, and that the port is one for TLS."
    if code in VAGUE:
        return f"Kafka cannot be reached at {servers}: {text}. Check that it runs, and its address."
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return (
            f"Not authorised for the consumer group {group!r}. Allow this user to read it, or name another."
        )
    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return f"Not authorised for the topic {topic!r}. Allow this user to describe, read or write it."
    if code == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
        return f"Not authorised for this on the cluster: {text}."
    if code in NO_SUCH_TOPIC:
        return f"There is no topic {topic!r} (yet). Check its name."
    # A client that was fenced says so only in the text of its fatal error.
    if code in (KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID) or "fenced" in text:
        return (
            "Another worker of the same name reads in the same group, and took over. Give each worker a name of its "
            "own, as in: celery worker --ingest -n ingest2@%h"
        )
    return f"Kafka says: {text} ({error.name()})."


def error_of(error: KafkaException) -> KafkaError:
    """What a KafkaException carries."""
    carried: KafkaError = error.args[0]
    return carried


def broker_error(error: KafkaException, trouble: Trouble, group: str = "", topic: str = "") -> BrokerError:
    """`error` as a BrokerError that says what to do."""
    cause = trouble.fatal or error_of(error)
    if cause.code() in VAGUE:
        return BrokerError(trouble.words(cause))
    return BrokerError(explain(cause, topic=topic, group=group))
