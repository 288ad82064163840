import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "static/css/tokens.css").read_text()
STATES = ("ok", "busy", "broken", "unknown")


def colours(theme: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", CSS):
        if f'[data-bs-theme="{theme}"]' in selector:
            found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body))
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_on_what_it_stands_on(theme: str) -> None:
    have = colours(theme)
    pairs = [
        (text, on)
        for text in ("text", "text-2", "text-3")
        for on in ("canvas", "surface", "surface-2", "raised")
    ]
    pairs += [("accent-text", on) for on in ("canvas", "surface", "accent-bg")] + [("on-accent", "accent")]
    pairs += [(f"{state}-text", on) for state in STATES for on in (f"{state}-bg", "surface", "canvas")]
    pairs += [(f"hue-{number}", "surface") for number in range(12)]
    pairs += [(f"json-{part}", "surface-2") for part in ("key", "string", "number", "word")]
    faint = {pair: round(contrast(have[pair[0]], have[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in faint.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_is_seen_without_reading(theme: str) -> None:
    have = colours(theme)
    assert all(contrast(have[state], have["surface"]) >= 3 for state in STATES)
