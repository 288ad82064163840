"""Noticing that a topic was deleted and made anew under the same name.

Kafka's client goes on at the offset it had, and would miss what the new topic holds before that. Only the topic's id
tells.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from time import monotonic
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from eventhub.brokers.configs.kafka import KafkaConfig
from eventhub.brokers.kafka.client import client_settings, make

LOOK_EVERY_S = 3.0
TIMEOUT_S = 10.0


class Remade:
    """Looks at the ids of topics every few seconds, and never waits for the answer."""

    def __init__(self, config: KafkaConfig, consumer: str) -> None:
        self._admin: Any = make(AdminClient, client_settings(config, f"eventhub {consumer} topics"))
        self._ids: dict[str, str] = {}
        self._asked: dict[str, Future[Any]] = {}
        self._ask_at = 0.0

    def look(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that were made anew since an earlier look."""
        if not self._asked:
            if names and monotonic() >= self._ask_at:
                self._ask_at = monotonic() + LOOK_EVERY_S
                self._asked = self._admin.describe_topics(
                    TopicCollection(list(names)), request_timeout=TIMEOUT_S
                )
            return []
        if not all(future.done() for future in self._asked.values()):
            return []
        asked, self._asked = self._asked, {}
        remade = []
        for name, future in asked.items():
            try:
                found = str(future.result().topic_id)
            except KafkaException:
                continue
            if self._ids.setdefault(name, found) != found:
                self._ids[name] = found
                remade.append(name)
        return remade
