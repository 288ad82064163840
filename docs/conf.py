"""The site of these pages: `make docs` builds it, and stops at the first link that leads nowhere.

What stands in README.md, and in which order, is what the site's menu has; a page that is not named there is an error.
"""

import re
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))
from listing import fill

project = "EventHub"
html_title = "EventHub"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
root_doc = "README"
# Every heading can be linked to, by its words.
myst_heading_anchors = 4
nitpicky = True
# The words of shells' sessions are coloured as far as they are known.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

SECTION = re.compile(r"^## (.+)$", re.M)
LINK = re.compile(r"\]\(([\w./-]+)\.md\)")
# What lies outside of this folder is not on the site; tests/docs sees to it that it is there.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[^)]*\)")
# The folders whose pages are listed by a page of their own.
FOLDERS = {"review": "review/*", "decisions/README": "decisions/0*"}


def leave_out(app: Sphinx, name: str, source: list[str]) -> None:
    """Links to what is not on the site become their words."""

    def words(link: re.Match[str]) -> str:
        target = link[0][link[0].rindex("(") + 1 : -1].partition("#")[0]
        path = (Path(app.srcdir) / name).parent / target
        return link[0] if path.resolve().is_relative_to(app.srcdir) else link[1]

    source[0] = OUTSIDE.sub(words, source[0])


def lists(app: Sphinx, name: str, source: list[str]) -> None:
    """The lists of the reference pages."""
    source[0] = fill(source[0])


def menu(app: Sphinx, name: str, source: list[str]) -> None:
    """The menu, from the sections of the first page and the links in them."""
    if name == root_doc:
        parts = SECTION.split(source[0])[1:]
        for title, text in zip(parts[::2], parts[1::2], strict=True):
            source[0] += toctree(dict.fromkeys(LINK.findall(text)), title)
    elif name in FOLDERS:
        pages = sorted(path.stem for path in Path(app.srcdir).glob(f"{FOLDERS[name]}.md"))
        folder = "" if "/" in name else f"{name}/"
        source[0] += toctree([folder + page for page in pages], "")


def toctree(pages: "dict[str, None] | list[str]", caption: str) -> str:
    """A part of the menu, in MyST's way of writing it."""
    options = f":hidden:\n:caption: {caption}\n" if caption else ":hidden:\n"
    return f"\n\n```{{toctree}}\n{options}\n" + "\n".join(pages) + "\n```\n"


def first_page(app: Sphinx, failure: Exception | None) -> None:
    """The first page is also found under the name that web servers look for."""
    if failure is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", lists)
    app.connect("source-read", leave_out)
    app.connect("source-read", menu)
    app.connect("build-finished", first_page)
