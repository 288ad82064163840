"""`python -m tests.services up [NAME …] | down | status`: what `make services-up` and its siblings run."""

import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.services.server import Server, ServerFailed, Unavailable
from tests.services.shared import KINDS, one_at_a_time, shared_folder


def servers(names: Collection[str] = ()) -> list[Server[Any]]:
    """One of each kind (of those named), running or not."""
    return [kind(shared_folder() / name) for name, kind in KINDS.items() if not names or name in names]


def up(names: Collection[str] = ()) -> int:
    """Start what is neither running nor named in the environment; print how to reach everything."""
    failed = False
    with one_at_a_time(shared_folder()), ThreadPoolExecutor() as threads:
        wanted = [server for server in servers(names) if server.named_in_environment() is None]
        for server, outcome in [(server, threads.submit(server.start)) for server in wanted]:
            try:
                outcome.result()
            except (Unavailable, ServerFailed) as error:
                print(f"{server.name} cannot be had: {error}", file=sys.stderr)
                failed = True
    status(names)
    return 1 if failed else 0


def down() -> int:
    """Stop what `up` started; the data stays."""
    with one_at_a_time(shared_folder()), ThreadPoolExecutor() as threads:
        list(threads.map(Server.stop, servers()))
    return status()


def status(names: Collection[str] = ()) -> int:
    """Print what runs and how to reach it, as lines that a shell understands."""
    for server in servers(names):
        address, where = server.named_in_environment(), "named in the environment"
        if address is None and server.is_running():
            address, where = server.address, f"in {server.folder}"
        if address is None:
            print(f"# {server.name}: not running")
            continue
        print(f"# {server.name}: {where}")
        for name, value in address.as_environment().items():
            print(f"export {name}={value}")
    return 0


if __name__ == "__main__":
    commands = {"up": up, "down": lambda names: down(), "status": status}
    command, names = sys.argv[1:2], sys.argv[2:]
    if not command or command[0] not in commands or set(names) - KINDS.keys():
        known = " | ".join(KINDS)
        sys.exit(f"usage: python -m tests.services up [{known} …] | down | status")
    sys.exit(commands[command[0]](names))
