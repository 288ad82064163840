"""The rules' pages of documentation, as they lie in docs/review/: rendered in the product, section by section.

A small part of Markdown: headings, paragraphs, lists, fenced code, `code`, **bold** and [links](…). Everything else
is text, and all text is escaped.
"""

import re
from functools import lru_cache

from django.conf import settings
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

FOLDER = settings.BASE_DIR / "docs" / "review"
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)")
# Pages of other rules are pages of the product, too.
_RULE_PAGE = re.compile(r"^([a-z-]+)\.md$")


@lru_cache(maxsize=64)
def sections(key: str) -> dict[str, SafeString]:
    """The sections of a rule's page, by their heading; what stands before the first is under "". Empty: no page."""
    path = FOLDER / f"{key}.md"
    if not re.fullmatch(r"[a-z-]+", key) or not path.is_file():
        return {}
    found: dict[str, list[str]] = {"": []}
    heading = ""
    for line in path.read_text().splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
            found[heading] = []
        elif not line.startswith("# "):
            found[heading].append(line)
    return {name: render(lines) for name, lines in found.items() if any(lines)}


def render(lines: list[str]) -> SafeString:
    """Lines of Markdown as HTML."""
    html: list[str] = []
    block: list[str] = []
    fence: list[str] | None = None

    def close() -> None:
        if block:
            html.append(_block(block))
            block.clear()

    for line in [*lines, ""]:
        if line.startswith("```"):
            if fence is None:
                close()
                fence = []
            else:
                html.append(format_html('<pre class="raw">{}</pre>', "\n".join(fence)))
                fence = None
        elif fence is not None:
            fence.append(line)
        elif not line.strip():
            close()
        else:
            block.append(line)
    return mark_safe("".join(html))  # noqa: S308 - every part of it was escaped


def _block(lines: list[str]) -> str:
    if not lines[0].startswith("- "):
        return f"<p>{inline(' '.join(lines))}</p>"
    items: list[str] = []
    for line in lines:
        if line.startswith("- "):
            items.append(line[2:])
        else:
            items[-1] += " " + line.strip()
    return "<ul>" + "".join(f"<li>{inline(item)}</li>" for item in items) + "</ul>"


def inline(text: str) -> str:
    """A line's text with code, bold and links."""
    html, end = "", 0
    for match in _INLINE.finditer(text):
        html += escape(text[end : match.start()])
        code, bold, label, href = match.groups()
        if code is not None:
            html += format_html("<code>{}</code>", code)
        elif bold is not None:
            html += format_html("<b>{}</b>", bold)
        elif rule := _RULE_PAGE.match(href):
            html += format_html('<a href="/review/rules/{}/">{}</a>', rule[1], label)
        elif href.startswith(("https://", "http://")):
            html += format_html('<a href="{}" rel="noreferrer">{}</a>', href, label)
        else:
            html += escape(label)
        end = match.end()
    return html + escape(text[end:])
