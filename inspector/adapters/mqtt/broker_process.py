"""The child process of `embedded_broker`: `python -m inspector.adapters.mqtt.broker_process HOST PORT PROTOCOL PARENT`.

It says "ready" on its standard output as soon as clients can connect. It serves until its standard input closes or its
parent is gone, whichever it notices first, so no broker outlives the program that started it, not even a killed one.
"""

import os
import select
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from iotcore import IotCoreBroker

from inspector.adapters.mqtt.embedded_broker import PORT_IN_USE

_CHECK_PARENT_S = 1.0

# One listener only: rumqttd 0.20 panics, and stays broken, when it must hand a message with MQTT 5 properties to a
# client of its 3.1.1 listener. The log keeps 4 segments of 16 MiB, so an absent subscriber finds the newest 64 MiB.
_CONFIG = """
id = 0
[router]
id = 0
max_connections = 64
max_outgoing_packet_count = 200
max_segment_size = 16777216
max_segment_count = 4
[{kind}.1]
name = "{kind}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{kind}.1.connections]
connection_timeout_ms = 5000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
"""


def _exit_without_parent(parent: int) -> None:
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _CHECK_PARENT_S)
        if readable and not os.read(sys.stdin.fileno(), 1):
            break
    os._exit(0)  # the broker has no way to be stopped


def _say_when_ready(host: str, port: int) -> None:
    while True:
        try:
            socket.create_connection((host, port), timeout=1.0).close()
        except OSError:
            time.sleep(0.02)
            continue
        os.write(sys.stdout.fileno(), b"ready\n")
        return


def main() -> None:
    host, port, protocol, parent = sys.argv[1:]
    threading.Thread(target=_exit_without_parent, args=(int(parent),), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="inspector-broker-") as folder:
        config = Path(folder) / "broker.toml"
        config.write_text(
            _CONFIG.format(kind="v5" if protocol == "5" else "v4", host=host, port=port), encoding="utf-8"
        )
        broker = IotCoreBroker(config_path=str(config))
    try:
        broker.check_ports()
    except OSError:
        sys.exit(PORT_IN_USE)
    threading.Thread(target=_say_when_ready, args=(host, int(port)), daemon=True).start()
    broker.run_forever()


if __name__ == "__main__":
    main()
