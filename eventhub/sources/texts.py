"""A config's values as people write them into a form, and back."""

import json
from typing import Any

import msgspec

from eventhub.brokers.secrets.scrubbing import DOTS
from eventhub.sources.layout import Widget


class NotReadable(ValueError):
    """What was written cannot be read as what the field holds. The text says how to write it."""


def write(value: Any, widget: Widget) -> str:
    """`value` as it stands in the field; secrets are never written."""
    if value is None or widget in ("secret", "secret-pem"):
        return ""
    match widget:
        case "lines" if isinstance(value, list):
            return "\n".join(map(str, value))
        case "pairs" if isinstance(value, dict):
            return "\n".join(f"{name} = {_word(setting)}" for name, setting in value.items())
        case "json":
            return json.dumps(value, ensure_ascii=False) if value else ""
    return str(value)


def read(text: str, widget: Widget) -> Any:
    """What stands in a field, None when nothing does. Raises NotReadable."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        return None
    match widget:
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case "pairs":
            return dict(_pair(line) for line in text.splitlines() if line.strip())
        case "json":
            try:
                return msgspec.json.decode(text.encode())
            except msgspec.DecodeError as error:
                raise NotReadable(f"It is not JSON: {error}.") from error
        case "number":
            try:
                return int(text.replace(",", "").replace(" ", ""))
            except ValueError:
                raise NotReadable("It should be a whole number.") from None
        case "pem" | "secret-pem":
            return f"{text}\n"
    return text


def _pair(line: str) -> tuple[str, Any]:
    name, equals, value = line.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name or not value:
        raise NotReadable(f"{line.strip()[:80]!r} should be a name, an equals sign and a value.")
    return name, _value(value)


def _value(text: str) -> str | int | bool:
    """A number or true/false where the text is exactly one; 007 and 1.0 stay texts."""
    if text in {"true", "false"}:
        return text == "true"
    try:
        number = int(text)
    except ValueError:
        return text
    return number if str(number) == text else text


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def has_dots(text: str) -> bool:
    """Whether dots stand for a secret in it."""
    return DOTS in text
