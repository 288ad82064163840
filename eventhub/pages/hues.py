"""Which colour an event type has, and which glyph a service: the same on every page and in every chart.

Both come from the name alone, so they need no table and never change. `static/js/hues.js` computes the same.
"""

import re

HUES = 12

# Chosen so that the entities most systems have (order, payment, inventory, shipment, shipping, customer, email,
# product, cart, invoice, user, stock) get twelve different hues.
_SEED = 2_166_158_075

_DOMAINS = {"com", "org", "net", "io", "dev", "app", "co", "de", "eu", "ch"}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# A service whose name holds one of these words gets its picture.
_GLYPHS = (
    (("pay", "billing", "charge"), "credit-card"),
    (("order", "checkout", "cart"), "shopping-cart"),
    (("ship", "deliver", "logistic", "courier"), "truck"),
    (("mail", "notif", "sms"), "mail"),
    (("inventory", "stock", "warehouse"), "package"),
    (("customer", "user", "profile", "account", "identity"), "user"),
    (("invoice", "ledger", "accounting"), "receipt"),
    (("shop", "store", "catalog", "product"), "building-store"),
    (("search", "index"), "search"),
    (("fraud", "risk", "auth", "security"), "shield-check"),
    (("report", "analytic", "metric", "stat"), "chart-bar"),
    (("legacy", "batch", "import", "etl"), "database-import"),
    (("gateway", "api", "http", "web"), "world"),
    (("eventhub",), "activity"),
)
_SHAPES = ("hexagon", "square", "circle", "diamond", "triangle", "pentagon", "octagon", "star")


def entity(event_type: str) -> str:
    """What the event is about: ``order`` in order.placed, OrderPlaced, order-placed and com.shop.order.placed."""
    parts = [part for part in event_type.strip().split(".") if part]
    if len(parts) >= 3 and parts[0].lower() in _DOMAINS:
        return parts[-2].lower()
    if len(parts) >= 2:
        return parts[0].lower()
    words = [word for word in re.split(r"[:/\-_\s]", event_type.strip()) if word]
    return _CAMEL.split(words[0])[0].lower() if words else ""


def hue_of(event_type: str) -> int:
    """The event type's hue, 0…11: a number of the colours in static/css/tokens.css."""
    return _hash(entity(event_type)) % HUES


def glyph_of(service: str) -> str:
    """The name of the icon that stands for this service."""
    name = service.lower()
    for words, icon in _GLYPHS:
        if any(word in name for word in words):
            return icon
    return _SHAPES[_hash(name) % len(_SHAPES)]


def _hash(text: str) -> int:
    """FNV-1a over UTF-8, 32 bits, folded: small, spread well, and easy to write again in JavaScript."""
    value = _SEED
    for byte in text.encode():
        value = ((value ^ byte) * 16_777_619) & 0xFFFFFFFF
    return value ^ (value >> 16)
