"""The servers that `make services-up` starts and leaves running, for tests, benchmarks and the demo alike."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.elasticmq import ElasticMQServer
from tests.services.kafka import KafkaServer
from tests.services.rabbitmq import RabbitServer

ROOT = Path(__file__).resolve().parents[2]
# In the folder of each.
KINDS = {"kafka": KafkaServer, "rabbitmq": RabbitServer, "elasticmq": ElasticMQServer}


def shared_folder() -> Path:
    """Where they live: ``SERVICES_DIR``, else ``var/services``."""
    return Path(os.environ.get("SERVICES_DIR") or ROOT / "var" / "services")


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Others who start or stop servers in `folder` wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
