"""A broker for the demo: rumqttd from the `iotcore` wheel, in a process of its own, in memory only.

It cannot hurt the station and does not outlive it. Not for production: it keeps nothing over a restart, and it asks
nobody for a password, which is why it listens on 127.0.0.1 alone.
"""

import os
import select
import socket
import subprocess
import sys
from typing import Self

from inspector.adapters.mqtt.link import MqttProtocol
from inspector.domain.errors import PublishError

PORT_IN_USE = 3
"""Exit code of the child. The wheel itself is imported there and nowhere else."""

_CHILD = "inspector.adapters.mqtt.broker_process"
_TRIES = 5
_READY_S = 20.0
_STOP_S = 5.0


class EmbeddedBroker:
    """Listens on 127.0.0.1, for one version of MQTT. `port` 0 takes a free one; it stays the same over a restart.

    Use as a context manager, or `start` and `stop`. Not thread-safe.
    """

    host = "127.0.0.1"

    def __init__(self, port: int = 0, protocol: MqttProtocol = "5") -> None:
        self.port = port
        self.protocol = protocol
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> Self:
        """Return once clients can connect. Raises PublishError when the port is taken or it does not come up."""
        if self.is_running:
            return self
        self.stop()
        is_port_given = self.port != 0
        for _ in range(1 if is_port_given else _TRIES):
            port = self.port or _free_port()
            if self._launched(port):
                self.port = port
                return self
        raise PublishError(f"the demo's broker cannot listen on {self.host}:{self.port or 'any port'}: it is taken")

    def stop(self) -> None:
        """Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def kill(self) -> None:
        """End it at once, as a power cut would: for tests of what follows."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launched(self, port: int) -> bool:
        """True when it serves, False when the port was taken by somebody else."""
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", _CHILD, self.host, str(port), self.protocol, str(os.getpid())],
            stdin=subprocess.PIPE,  # its life line: it closes when this process ends, however it ends
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C is for the station, which then still has messages to send
        )
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], _READY_S)
        if readable and process.stdout.readline():
            return True
        code = process.wait(_STOP_S) if readable else None
        self.stop()
        if code == PORT_IN_USE:
            return False
        if code is None:
            raise PublishError(f"the demo's broker did not listen on {self.host}:{port} within {_READY_S:.0f} s")
        raise PublishError(f"the demo's broker ended with code {code}: is the package iotcore installed?")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
