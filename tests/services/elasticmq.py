"""ElasticMQ, which speaks Amazon SQS: started by the tests, or named in the environment."""

import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import boto3

from tests.services.artifacts import class_path, java
from tests.services.server import Server

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

REGION = "elasticmq"
# Messages are kept in a file, so that a restart loses none of them.
CONFIG = """\
include classpath("application.conf")
node-address {{ host = "127.0.0.1", port = {port} }}
rest-sqs {{ bind-hostname = "127.0.0.1", bind-port = {port}, sqs-limits = strict }}
queues-storage {{ enabled = true, path = "{folder}/queues.conf" }}
messages-storage {{ enabled = true, uri = "jdbc:h2:{folder}/messages" }}
pekko.loglevel = "INFO"
"""


@dataclass(frozen=True, kw_only=True)
class SqsAddress:
    """Where a server that speaks SQS answers."""

    endpoint_url: str

    @classmethod
    def from_environment(cls) -> Self | None:
        """The one named in SQS_ENDPOINT_URL, if any."""
        url = os.environ.get("SQS_ENDPOINT_URL")
        return cls(endpoint_url=url) if url else None

    def as_environment(self) -> dict[str, str]:
        """What to export for others to find it."""
        return {"SQS_ENDPOINT_URL": self.endpoint_url}

    def client(self) -> "SQSClient":
        """A client of boto3 with credentials that the server does not look at."""
        return boto3.client(
            "sqs",
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )


class ElasticMQServer(Server[SqsAddress]):
    """One ElasticMQ that keeps queues and messages on disk."""

    name = "ElasticMQ"
    listeners = ("sqs",)

    @property
    def address(self) -> SqsAddress:
        return SqsAddress(endpoint_url=f"http://127.0.0.1:{self.ports['sqs']}")

    @staticmethod
    def named_in_environment() -> SqsAddress | None:
        return SqsAddress.from_environment()

    @staticmethod
    def require() -> None:
        java()
        class_path("elasticmq")

    def _launch(self) -> None:
        config = self.folder / "elasticmq.conf"
        config.write_text(CONFIG.format(port=self.ports["sqs"], folder=self.folder))
        options = ["-Xmx512m", "-XX:+UseSerialGC", f"-Dconfig.file={config}", "-cp", class_path("elasticmq")]
        self._run([java(), *options, "org.elasticmq.server.Main"])

    def _serves(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"{self.address.endpoint_url}/?Action=ListQueues", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
