"""How the messages of a Source are read, as it is configured."""

from functools import lru_cache

from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.config import KafkaConfig, read_config
from eventhub.brokers.models import Source
from eventhub.events.mapping import BadMapping, parse
from eventhub.events.reading import Reader
from eventhub.events.wire_format import Registry, WireFormat


def reader_of(source: Source) -> Reader:
    """The reader for the messages of `source`, which need not be saved. Raises BadConfig, which says what to do."""
    try:
        mapping = parse(source.mapping)
    except BadMapping as error:
        raise BadConfig(f"The mapping of {source.name!r} cannot be used. {error}") from error
    return Reader(mapping, _wire_format(source))


def _wire_format(source: Source) -> WireFormat | None:
    config = read_config(source)
    if not isinstance(config, KafkaConfig) or config.registry_url is None:
        return None
    return _shared(config.registry_url, config.registry_username, config.registry_password)


@lru_cache(maxsize=32)
def _shared(url: str, username: str | None, password: str | None) -> WireFormat:
    """One for all sources and previews of a registry: its schemas are fetched and compiled once."""
    return WireFormat(Registry(url, username, password))
