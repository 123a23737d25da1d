"""A broker that misbehaves as told, for answers that no real broker gives on demand. MQTT 5 only, QoS 1 only."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    topic: str
    payload: bytes


Answer = Callable[[Published], int | bytes | None]
"""The reason code of the PUBACK; bytes to send instead before hanging up; or None to hang up at once."""

CUT: None = None
SILENCE = -1
"""No PUBACK at all."""

TAKEN_OVER = b"\xe0\x02\x8e\x00"
"""DISCONNECT: another client has the same name."""


class ScriptedBroker:
    def __init__(self, answer: Answer, *, connack: bytes = b"\x00\x00\x00") -> None:
        """`connack` is the CONNACK's body: flags, reason code, properties."""
        self.published: list[Published] = []
        self.connections = 0
        self._answer = answer
        self._connack = connack
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._client: socket.socket | None = None

    def __enter__(self) -> "ScriptedBroker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._client is not None:
            self._client.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._client = client
            self.connections += 1
            with client:
                client.settimeout(10)
                try:
                    self._serve(client)
                except OSError:
                    continue

    def _serve(self, client: socket.socket) -> None:
        while True:
            first = _exactly(client, 1)[0]
            body = _exactly(client, _length(client))
            match first >> 4:
                case 1:
                    client.sendall(bytes([0x20, len(self._connack)]) + self._connack)
                case 3:
                    end = 2 + int.from_bytes(body[:2])
                    packet_id = body[end : end + 2]
                    properties = body[end + 2]  # shorter than 128 bytes in these tests
                    published = Published(body[2:end].decode(), body[end + 3 + properties :])
                    self.published.append(published)
                    code = self._answer(published)
                    if code is None or isinstance(code, bytes):
                        client.sendall(code or b"")
                        return
                    if code != SILENCE:
                        client.sendall(b"\x40\x04" + packet_id + bytes([code, 0]))
                case 12:
                    client.sendall(b"\xd0\x00")
                case 14:
                    return


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def _length(client: socket.socket) -> int:
    value = shift = 0
    while True:
        byte = _exactly(client, 1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7
