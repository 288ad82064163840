"""What the person who starts EventHub asked for, read from the environment and checked."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class BadOption(Exception):
    """A value in the environment cannot be used. The text names it and says what it should hold."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ``manage.py up`` obeys."""

    host: str
    port: int
    # Everything EventHub keeps: databases, logs, the environment file.
    var_dir: Path
    # Whether the demo shop plays.
    demo: bool
    # Events a second; None leaves it to the demo.
    demo_rate: float | None

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - a name to show
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}/"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in {"127.0.0.1", "localhost", "::1"}


def read_options(environ: Mapping[str, str], var_dir: Path) -> Options:
    """The options in `environ`; raises BadOption."""
    return Options(
        host=environ.get("HOST", "").strip() or "127.0.0.1",
        port=_port(environ.get("PORT", "").strip() or "8000"),
        var_dir=var_dir,
        demo=_flag("DEMO", environ.get("DEMO", "").strip() or "1"),
        demo_rate=_rate(environ.get("DEMO_RATE", "").strip()),
    )


def refuse_taken_port(host: str, port: int) -> None:
    """Raises BadOption when `host`:`port` cannot be listened on."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise BadOption(f"HOST={host} is no address of this machine ({error.strerror}).") from error
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except PermissionError as error:
            raise BadOption(
                f"This user may not listen on port {port}. Choose one above 1023, for example PORT=8000."
            ) from error
        except OSError as error:
            raise BadOption(
                f"{host}:{port} cannot be used ({error.strerror}). Stop what listens there, "
                f"or choose another port: PORT={port + 1 if port < 65535 else 8000} make run"
            ) from error


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise BadOption(f"PORT={text} is no port. It should be a number from 1 to 65535.")
    return int(text)


def _flag(name: str, text: str) -> bool:
    match text.lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise BadOption(f"{name}={text} should be 1 or 0.")


def _rate(text: str) -> float | None:
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 100_000:
        raise BadOption(f"DEMO_RATE={text} should be events a second, for example 5. No demo at all: DEMO=0.")
    return rate
