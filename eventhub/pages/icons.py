"""The vendored Tabler icons, drawn into the page as SVG so that they take the text's colour."""

from functools import cache
from pathlib import Path

from django.conf import settings

FOLDER = "icons@3.52.0"


class UnknownIcon(LookupError):
    """The icon is not vendored: add its name to static/icons.txt and run `make vendor`."""


@cache
def svg(name: str) -> str:
    """The icon's SVG element, hidden from screen readers: the word beside it is what they read."""
    path = Path(settings.BASE_DIR) / "static" / "vendor" / FOLDER / f"{name}.svg"
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        raise UnknownIcon(
            f"No icon {name!r}: add its name to static/icons.txt and run `make vendor`."
        ) from None
    return text.replace("<svg ", '<svg class="icon" aria-hidden="true" focusable="false" ', 1)
