"""Leave out of a stylesheet the rules for classes that no page uses: most of a framework's.

A class is kept when its name stands anywhere in the templates, the scripts, the Python code or Django's admin, or
begins as a name there that is put together (``btn-{{ kind }}``). That keeps some too many and none too few.
"""

import re
from collections.abc import Iterable
from pathlib import Path

# At-rules that hold rules; the others (@font-face, @keyframes, @property) are kept whole.
NESTING = ("@media", "@supports", "@layer", "@container")
CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
COMMA = re.compile(r",(?![^()]*\))")


def words(files: Iterable[Path]) -> set[str]:
    """Everything in the files that could be the name of a class."""
    found: set[str] = set()
    for file in files:
        found.update(re.findall(r"-?[A-Za-z_][\w-]*", file.read_text(errors="ignore")))
    return found


def prune(css: str, used: set[str]) -> str:
    """The stylesheet without selectors that name a class not in `used`, and without rules left empty by that."""
    kept = []
    for block in _blocks(css):
        head, brace, body = block.partition("{")
        if not brace or head.startswith("/*"):
            kept.append(block)
        elif head.startswith(NESTING):
            if inner := prune(body[:-1], used):
                kept.append(f"{head}{{{inner}}}")
        elif head.startswith("@"):
            kept.append(block)
        elif selectors := [
            one for one in COMMA.split(head) if all(_is_used(name, used) for name in _classes(one))
        ]:
            kept.append(f"{','.join(selectors)}{{{body}")
    return "".join(kept)


def _classes(selector: str) -> set[str]:
    return {name.replace("\\", "") for name in CLASS.findall(STRING.sub("", selector))}


def _is_used(name: str, used: set[str]) -> bool:
    """Whether the name, or a beginning of it that ends in a hyphen, is among `used`."""
    parts = name.split("-")
    return name in used or any("-".join(parts[:n]) + "-" in used for n in range(1, len(parts)))


def _blocks(css: str) -> list[str]:
    """The stylesheet cut after each rule, at-rule and comment of its outermost level."""
    found, begin, depth, at = [], 0, 0, 0
    while at < len(css):
        character = css[at]
        if css.startswith("/*", at):
            end = css.index("*/", at) + 2
            if depth == 0:
                found.append(css[begin:end])
                begin = end
            at = end
            continue
        if character in "\"'":
            at = css.index(character, at + 1)
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
        if depth == 0 and character in "};":
            found.append(css[begin : at + 1])
            begin = at + 1
        at += 1
    return found
