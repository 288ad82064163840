"""RabbitMQ with its management, MQTT, STOMP and stream plugins: started by the tests, or named in the environment.

Debian's package brings the programs only: the node here has its own name, folder, ports and name server (epmd), runs as
the user who runs the tests, and shares nothing with a system service.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import amqp

from tests.services.certificates import make_certificates
from tests.services.processes import inherited_environment
from tests.services.server import Server, Unavailable

USER = PASSWORD = "eventhub"
PLUGINS = "[rabbitmq_management, rabbitmq_mqtt, rabbitmq_stomp, rabbitmq_stream]."
CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
mqtt.listeners.tcp.1 = 127.0.0.1:{mqtt}
mqtt.allow_anonymous = false
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
stream.listeners.tcp.1 = 127.0.0.1:{stream}
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.cacertfile = {certificates}/ca.pem
ssl_options.certfile = {certificates}/server.pem
ssl_options.keyfile = {certificates}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
default_user = {user}
default_pass = {password}
disk_free_limit.absolute = 100MB
raft.wal_max_size_bytes = 67108864
"""


@dataclass(frozen=True, kw_only=True)
class RabbitAddress:
    """Where a RabbitMQ answers. What it does not offer is None."""

    # amqp://user:password@host:port/, for kombu and amqp.
    url: str
    # http://user:password@host:port
    management_url: str | None = None
    # host:port each, for the same user and password.
    mqtt: str | None = None
    stomp: str | None = None
    stream: str | None = None
    # amqps://user:password@host:port/, for who shows a certificate, and the folder of `make_certificates`.
    tls_url: str | None = None
    certificates: Path | None = None

    @classmethod
    def from_environment(cls) -> Self | None:
        """The one named in RABBITMQ_URL, if any."""
        url = os.environ.get("RABBITMQ_URL")
        if not url:
            return None
        certificates = os.environ.get("RABBITMQ_CERTIFICATES")
        return cls(
            url=url,
            management_url=os.environ.get("RABBITMQ_MANAGEMENT_URL"),
            mqtt=os.environ.get("RABBITMQ_MQTT_ADDRESS"),
            stomp=os.environ.get("RABBITMQ_STOMP_ADDRESS"),
            stream=os.environ.get("RABBITMQ_STREAM_ADDRESS"),
            tls_url=os.environ.get("RABBITMQ_TLS_URL"),
            certificates=Path(certificates) if certificates else None,
        )

    def as_environment(self) -> dict[str, str]:
        """What to export for others to find it."""
        named = {
            "RABBITMQ_URL": self.url,
            "RABBITMQ_MANAGEMENT_URL": self.management_url,
            "RABBITMQ_MQTT_ADDRESS": self.mqtt,
            "RABBITMQ_STOMP_ADDRESS": self.stomp,
            "RABBITMQ_STREAM_ADDRESS": self.stream,
            "RABBITMQ_TLS_URL": self.tls_url,
            "RABBITMQ_CERTIFICATES": self.certificates,
        }
        return {name: str(value) for name, value in named.items() if value}


class RabbitServer(Server[RabbitAddress]):
    """One RabbitMQ node."""

    name = "RabbitMQ"
    listeners = ("amqp", "tls", "management", "mqtt", "stomp", "stream", "distribution", "epmd")

    @property
    def address(self) -> RabbitAddress:
        ports = self.ports
        return RabbitAddress(
            url=f"amqp://{USER}:{PASSWORD}@127.0.0.1:{ports['amqp']}/",
            management_url=f"http://{USER}:{PASSWORD}@127.0.0.1:{ports['management']}",
            mqtt=f"127.0.0.1:{ports['mqtt']}",
            stomp=f"127.0.0.1:{ports['stomp']}",
            stream=f"127.0.0.1:{ports['stream']}",
            # One that was started before it had this door has no port for it.
            tls_url=f"amqps://{USER}:{PASSWORD}@127.0.0.1:{ports['tls']}/" if "tls" in ports else None,
            certificates=self.folder / "certificates",
        )

    @staticmethod
    def named_in_environment() -> RabbitAddress | None:
        return RabbitAddress.from_environment()

    @staticmethod
    def require() -> None:
        _server_script()
        _epmd()

    def _launch(self) -> None:
        ports, certificates = self.ports, self.folder / "certificates"
        if not certificates.exists():
            make_certificates(certificates)
        for name, text in {
            "rabbitmq.conf": CONFIG.format(**ports, user=USER, password=PASSWORD, certificates=certificates),
            "enabled_plugins": PLUGINS,
            "advanced.config": "[].",
            "rabbitmq-env.conf": "",
        }.items():
            (self.folder / name).write_text(text)
        # Else the node would start one that outlives it, and on every interface.
        self._run([_epmd(), "-port", str(ports["epmd"]), "-address", "127.0.0.1"], name="epmd")
        self._run([_server_script()], **self._node)

    def control(self, *arguments: str) -> None:
        """Run ``rabbitmqctl`` on the node."""
        loopback = {"RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
        subprocess.run(
            [Path(_server_script()).with_name("rabbitmqctl"), *arguments],
            env={**inherited_environment(), **self._node, **loopback},
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    @property
    def _node(self) -> dict[str, str]:
        """The environment of the node, and of who wants to speak to it."""
        folder, ports = self.folder, self.ports
        return {
            "HOME": str(folder),  # the cookie is there
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "RUNNING_UNDER_SYSTEMD": "true",  # so that the script becomes the server and its process id is the server's
            "RABBITMQ_NODENAME": "eventhub@localhost",
            "RABBITMQ_DIST_PORT": str(ports["distribution"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
        }

    def _serves(self) -> bool:
        connection = amqp.Connection(
            f"127.0.0.1:{self.ports['amqp']}", userid=USER, password=PASSWORD, connect_timeout=5
        )
        try:
            connection.connect()
            connection.close()
        except (OSError, amqp.AMQPError):
            return False
        return True


def _server_script() -> Path | str:
    # Debian's own wrapper on the PATH insists on the system's user and folders; the script behind it does not.
    behind = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    found = behind if behind.exists() else shutil.which("rabbitmq-server")
    if found is None:
        raise Unavailable("there is no RabbitMQ; install it (on Debian: scripts/brokers as root)")
    return found


def _epmd() -> str:
    found = shutil.which("epmd")
    if found is None:
        raise Unavailable("Erlang's name server, epmd, is not on the PATH (on Debian it is in erlang-base)")
    return found
