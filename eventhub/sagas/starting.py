"""Starting instances."""

from typing import Any

import msgspec
from django.db import IntegrityError, transaction

from eventhub.sagas import declaring
from eventhub.sagas.models import Instance


def start(
    name: str, key: str, data: dict[str, Any] | None = None, *, correlation_id: str | None = None
) -> Instance:
    """Start the saga `name` about `key`, in the caller's transaction if there is one; workers take it from there.

    One that was started about the same key before is returned as it stands: starting twice starts once. Its events are
    told by their correlation id, which is the key where none is given. Raises LookupError for a saga there is not.
    """
    definition = declaring.latest(name)
    try:
        with transaction.atomic():
            return Instance.objects.create(
                saga=name,
                version=definition.version,
                key=key,
                correlation_id=correlation_id or key,
                data=msgspec.to_builtins(data or {}),
            )
    except IntegrityError:
        return Instance.objects.get(saga=name, key=key)
