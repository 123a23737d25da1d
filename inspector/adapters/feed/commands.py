"""The command channel: one JSON request, one JSON answer, whatever the request looks like."""

import json
import logging
from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

import zmq

from inspector.domain.errors import InspectorError
from inspector.ports import CommandHandler

_log = logging.getLogger(__name__)

_POLL_MS = 100  # how soon `close` is noticed
_JOIN_S = 5.0  # a command that takes longer at shutdown is left behind
MAX_REQUEST_BYTES = 1 << 20  # a larger request is cut off by zmq: no command comes near it


def answer(request: bytes, handler: CommandHandler) -> bytes:
    """The answer to one request: {"ok": true, "result": …} or {"ok": false, "error": sentence}. Never raises."""
    try:
        command, args = _parsed(request)
        reply: dict[str, Any] = {"ok": True, "result": dict(handler(command, args))}
        return json.dumps(reply, ensure_ascii=False).encode(errors="replace")
    except InspectorError as error:
        refusal = str(error)
    except Exception:  # a fault in one command must not cost the next one
        _log.exception("command %.200r failed", request)
        refusal = "the station could not carry out the command because of an internal error: its log has the details"
    return json.dumps({"ok": False, "error": refusal}, ensure_ascii=False).encode(errors="replace")


def _parsed(request: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        content = json.loads(request, parse_constant=_refused_constant)
    except (ValueError, RecursionError) as error:
        raise InspectorError(f'request is not JSON ({error}): send {{"command": "…", "args": {{…}}}}') from error
    if not isinstance(content, dict):
        raise InspectorError('request is not a JSON object: send {"command": "…", "args": {…}}')
    command, args = content.get("command"), content.get("args", {})
    if not isinstance(command, str) or not command:
        raise InspectorError('request names no command: send {"command": "…", "args": {…}}')
    if not isinstance(args, dict):
        raise InspectorError(f"args of command {command!r} are not a JSON object: send them by name")
    return command, args


def _refused_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


class CommandServer:
    """Answers on a REP socket in a thread of its own: a slow command delays other commands, never the feed."""

    def __init__(self, socket: "zmq.Socket[bytes]", handler: CommandHandler) -> None:
        self._socket = socket
        self._handler = handler
        self._stop = Event()
        self._thread = Thread(target=self._run, name="feed-commands", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> bool:
        """False when the thread hangs in a command: then its socket is still open."""
        self._stop.set()
        self._thread.join(timeout=_JOIN_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._socket.poll(_POLL_MS):
                    # REP wants an answer before the next request; a request in several parts is refused as no JSON.
                    request = b"".join(self._socket.recv_multipart())
                    self._socket.send(answer(request, self._handler))
        except zmq.ZMQError:
            _log.exception("the command channel failed and is closed: restart the station to bring it back")
        finally:
            self._socket.close(linger=300)
