"""A proof that a connection was tested, carried by the form: what was tested and not changed is not tested again."""

import hmac

import msgspec
from django.utils.crypto import salted_hmac

from eventhub.brokers.models import Source
from eventhub.brokers.secrets import keeping


def proof(source: Source) -> str:
    """A text that only this installation can make, for this connection alone."""
    connection = (source.kind, source.config, keeping.secrets_of(source))
    text = msgspec.json.encode(connection, order="deterministic")
    return salted_hmac("eventhub.sources.tested", text, algorithm="sha256").hexdigest()


def is_proof(text: str, source: Source) -> bool:
    """Whether `text` proves that the connection of `source` was tested."""
    return hmac.compare_digest(text.encode(), proof(source).encode())
