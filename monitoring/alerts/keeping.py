"""What of a channel is secret: its signing key, and of a webhook's address everything behind the host.

Whoever knows the address of a Slack webhook may write to its room, so it is kept as a source's password is
(``eventhub.brokers.secrets``): encrypted, and never told again.
"""

from urllib.parse import urlsplit

from eventhub.brokers.secrets import keys, scrubbing
from eventhub.brokers.secrets.scrubbing import DOTS

ADDRESS = "address"
SIGNING_KEY = "signing_key"


def shown_address(address: str) -> str:
    """A webhook's address as far as it may be told: who is written to, not how."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return DOTS
    host = parts.netloc.rpartition("@")[2]
    has_more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    return f"{parts.scheme}://{host}/{DOTS}" if has_more and parts.scheme and host else address.strip()


def is_shown(address: str) -> bool:
    """Whether this is what `shown_address` told, and not an address."""
    return address.endswith(DOTS)


def read(secrets: str, name: str) -> str:
    """One secret, and from now on no log tells it; empty where there is none. Raises keys.Unreadable, keys.BadKey."""
    value = str(keys.decrypt(secrets).get(name, ""))
    # Clients write of an address what they asked for at the host.
    behind_host = value.partition("://")[2].partition("/")[2]
    scrubbing.remember([one for one in (value, behind_host) if one])
    return value


def changed(secrets: str, **values: str) -> str:
    """`secrets` with other values; an empty one is taken out, what no key reads any more is lost. Raises BadKey."""
    try:
        before = keys.decrypt(secrets)
    except keys.Unreadable:
        before = {}
    after = {name: value for name, value in {**before, **values}.items() if value}
    return secrets if after == before else keys.encrypt(after)
