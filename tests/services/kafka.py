"""Apache Kafka, one node in KRaft mode: started by the tests, or named in the environment.

Four doors lead in: plain, SASL (user and password), TLS, and both together. The plain one may do everything, and so may
`USER`; `STRANGER` may log in and is allowed nothing, for tests of what is not authorised.
"""

import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.services.artifacts import class_path, java
from tests.services.certificates import make_certificates
from tests.services.server import Server, ServerFailed

USER = PASSWORD = "eventhub"
STRANGER = "stranger"
# One node keeps one copy of everything; groups form at once; the cleaner of compacted topics looks every second and is
# content with little memory.
CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners={doors},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={doors}
listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,SASLTLS:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
{logins}
ssl.keystore.type=PEM
ssl.keystore.location={folder}/certificates/server-keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/certificates/ca.pem
listener.name.tls.ssl.client.auth=requested
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{user};User:CN=client
log.dirs={folder}/data
auto.create.topics.enable={auto_create_topics}
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=1000
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""
LOGGING = {
    "defaultLogLevel": "warn",
    "showDateTime": "true",
    "dateTimeFormat": "HH:mm:ss.SSS",
    "log.kafka.server.KafkaRaftServer": "info",
}


@dataclass(frozen=True, kw_only=True)
class KafkaAddress:
    """Where a Kafka answers. What it does not offer is None."""

    # host:port each, for `bootstrap.servers`
    bootstrap_servers: str
    # for USER and PASSWORD, and for STRANGER with the same password
    sasl: str | None = None
    tls: str | None = None
    sasl_tls: str | None = None
    # ca.pem, client.pem and client.key for TLS
    certificates: Path | None = None

    @classmethod
    def from_environment(cls) -> Self | None:
        """The one named in KAFKA_BOOTSTRAP_SERVERS, if any."""
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if not servers:
            return None
        certificates = os.environ.get("KAFKA_CERTIFICATES")
        return cls(
            bootstrap_servers=servers,
            sasl=os.environ.get("KAFKA_SASL_BOOTSTRAP_SERVERS"),
            tls=os.environ.get("KAFKA_TLS_BOOTSTRAP_SERVERS"),
            sasl_tls=os.environ.get("KAFKA_SASL_TLS_BOOTSTRAP_SERVERS"),
            certificates=Path(certificates) if certificates else None,
        )

    def as_environment(self) -> dict[str, str]:
        """What to export for others to find it."""
        named = {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_SASL_BOOTSTRAP_SERVERS": self.sasl,
            "KAFKA_TLS_BOOTSTRAP_SERVERS": self.tls,
            "KAFKA_SASL_TLS_BOOTSTRAP_SERVERS": self.sasl_tls,
            "KAFKA_CERTIFICATES": self.certificates,
        }
        return {name: str(value) for name, value in named.items() if value}


class KafkaServer(Server[KafkaAddress]):
    """One node that is broker and controller in one."""

    name = "Kafka"
    listeners = ("plain", "sasl", "tls", "sasltls", "controller")

    def __init__(self, folder: Path, *, auto_create_topics: bool = False) -> None:
        super().__init__(folder)
        self.auto_create_topics = auto_create_topics

    @property
    def address(self) -> KafkaAddress:
        ports = self.ports
        return KafkaAddress(
            bootstrap_servers=f"127.0.0.1:{ports['plain']}",
            sasl=f"127.0.0.1:{ports['sasl']}",
            tls=f"127.0.0.1:{ports['tls']}",
            sasl_tls=f"127.0.0.1:{ports['sasltls']}",
            certificates=self.folder / "certificates",
        )

    @staticmethod
    def named_in_environment() -> KafkaAddress | None:
        return KafkaAddress.from_environment()

    @staticmethod
    def require() -> None:
        java()
        class_path("kafka")

    def _launch(self) -> None:
        ports = self.ports
        if not (self.folder / "certificates").exists():
            make_certificates(self.folder / "certificates")
        config = self.folder / "server.properties"
        config.write_text(
            CONFIG.format(
                controller=ports["controller"],
                doors=",".join(f"{door.upper()}://127.0.0.1:{ports[door]}" for door in self.listeners[:-1]),
                logins="\n".join(_logins()),
                folder=self.folder,
                user=USER,
                auto_create_topics=str(self.auto_create_topics).lower(),
            )
        )
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(config)
        logging = [f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in LOGGING.items()]
        memory = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC"]
        self._run([java(), *memory, *logging, "-cp", class_path("kafka"), "kafka.Kafka", config])

    def _format(self, config: Path) -> None:
        users = [
            f"{mechanism}=[name={user},password={PASSWORD}]"
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for user in (USER, STRANGER)
        ]
        command = [
            java(),
            "-cp",
            class_path("kafka"),
            "-XX:TieredStopAtLevel=1",
            "kafka.tools.StorageTool",
            "format",
        ]
        command += ["--config", str(config)]
        # In one word: an id may begin with a dash.
        command += [f"--cluster-id={urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip('=')}"]
        command += [part for user in users for part in ("--add-scram", user)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise ServerFailed(
                f"Kafka's folder could not be formatted.\n{(result.stdout + result.stderr)[-3000:]}"
            )

    def _serves(self) -> bool:
        admin = AdminClient({"bootstrap.servers": self.address.bootstrap_servers})
        try:
            return bool(admin.list_topics(timeout=5).brokers)
        except KafkaException:
            return False


def _logins() -> list[str]:
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required "
    plain += " ".join(f'user_{user}="{PASSWORD}"' for user in (USER, STRANGER)) + ";"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return [
        f"listener.name.{door}.{mechanism}.sasl.jaas.config={login}"
        for door in ("sasl", "sasltls")
        for mechanism, login in (("plain", plain), ("scram-sha-256", scram), ("scram-sha-512", scram))
    ]
