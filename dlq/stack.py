"""Reading stack traces of any language well enough to tell a team's own frames from its libraries'."""

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

# A stack longer than this is read from its end, where the failure is.
MAX_CHARS = 40_000

_PYTHON = re.compile(r'^\s*File "(?P<file>[^"]{1,400})", line (?P<line>\d+)(?:, in (?P<function>.{1,200}))?$')
_JAVA = re.compile(
    r"^\s*at (?P<function>[\w.$<>/@ -]{1,300})"
    r"\((?P<file>[\w$.-]{1,200}\.\w{1,10}|Native Method|Unknown Source|<generated>)(?::(?P<line>\d+))?\)"
)
_DOTNET = re.compile(
    r"^\s*at (?P<function>[\w.`<>\[\]+]{1,300}\([^()]{0,300}\))(?: in (?P<file>.{1,300}):line (?P<line>\d+))?\s*$"
)
_NODE = re.compile(
    r"^\s*at (?:(?:async )?(?P<function>[^()\s][^()]{0,200}) \()?(?P<file>[^()\s]{1,400}?):(?P<line>\d+):\d+\)?\s*$"
)
_GO = re.compile(r"^\t(?P<file>/[^\s:]{1,400}\.go):(?P<line>\d+)")

# Paths and packages that no team wrote itself.
_LIBRARY = re.compile(
    r"site-packages|dist-packages|/lib/python\d|<frozen |<string>|node_modules|^node:|^internal/"
    r"|^(?:java|javax|jdk|sun|kotlin|scala|jakarta|com\.sun|org\.springframework|org\.apache|org\.hibernate"
    r"|io\.netty|io\.micrometer|reactor|com\.fasterxml|System|Microsoft|MassTransit|NServiceBus)[./]"
    r"|/go/pkg/mod/|/usr/local/go/"
)


class Frame(msgspec.Struct, frozen=True):
    """One line of a stack trace: where, and whether the team's own code."""

    file: str
    function: str
    line: int | None
    own: bool

    @property
    def place(self) -> str:
        """Where, without the line number, which moves with every release."""
        file = "/".join(self.file.replace("\\", "/").split("/")[-2:])
        return f"{self.function} ({file})" if self.function and file else self.function or file


class Line(msgspec.Struct, frozen=True):
    """One line of the text of a stack trace, with its frame when it is one."""

    text: str
    frame: Frame | None

    @property
    def is_library(self) -> bool:
        """Whether a reader may skip it."""
        return self.frame is not None and not self.frame.own


def lines(stack: str) -> Iterator[Line]:
    """Every line of `stack`, each told to be a frame or not; at most the last `MAX_CHARS` characters."""
    in_library = False
    for text in stack[-MAX_CHARS:].splitlines():
        frame = _frame(text)
        if frame is None and in_library and text.startswith("    "):
            # Python shows the source line beneath the frame: it belongs to it.
            yield Line(text, Frame("", "", None, own=False))
            continue
        in_library = frame is not None and not frame.own
        yield Line(text, frame)


@lru_cache(maxsize=256)  # a flood of letters brings few different stacks
def top_frame(stack: str) -> Frame | None:
    """The frame nearest the failure, of the team's own code where there is any; None without a readable one."""
    frames = [line.frame for line in lines(stack) if line.frame and (line.frame.file or line.frame.function)]
    if not frames:
        return None
    if _PYTHON.search(stack[-MAX_CHARS:]) or 'File "' in stack:
        frames.reverse()  # Python tells the most recent call last, all others first
    return next((frame for frame in frames if frame.own), frames[0])


def _frame(text: str) -> Frame | None:
    if len(text) > 1_000:
        return None
    for pattern in (_PYTHON, _JAVA, _NODE, _DOTNET, _GO):
        if match := pattern.match(text):
            parts = match.groupdict()
            file, function = parts["file"] or "", (parts.get("function") or "").strip()
            own = not (_LIBRARY.search(file) or _LIBRARY.search(function))
            return Frame(file, function, int(parts["line"][:9]) if parts["line"] else None, own)
    return None
