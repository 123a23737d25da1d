"""Where the feed listens, and who may connect: own user on `ipc://`, own machine on `tcp://`."""

import ipaddress
import os
import socket
import stat
from pathlib import Path
from typing import Any

import zmq

from inspector.domain.errors import ConfigError, InspectorError

_IPC = "ipc://"
_TCP = "tcp://"
_MAX_SOCKET_PATH = 107  # bytes, sun_path of Linux less its closing zero


def pictures_endpoint(endpoint: str) -> str:
    """Where pictures are bound: beside `endpoint` for ipc, any free port of the same host for tcp.

    Pictures have a socket of their own so that a slow dashboard's queue of them can be short without costing verdicts.
    """
    if endpoint.startswith(_TCP):
        return f"{_TCP}{_tcp_host(endpoint)}:*"
    return f"{endpoint}.pictures"


def bind(socket_: "zmq.Socket[Any]", endpoint: str) -> str:
    """Bind `socket_` and give the endpoint as a peer connects to it (a port `*` or `0` resolved).

    Raises ConfigError for an address that is malformed or open to other machines, InspectorError when it is taken.
    """
    if endpoint.startswith(_IPC):
        _bind_ipc(socket_, Path(endpoint.removeprefix(_IPC)))
        return endpoint
    if endpoint.startswith(_TCP):
        _check_loopback(endpoint)
        socket_.setsockopt(zmq.IPV6, int("[" in endpoint))
        try:
            socket_.bind(endpoint)
        except zmq.ZMQError as error:
            raise InspectorError(
                f"feed endpoint {endpoint} cannot be used ({error}): stop what listens there, or choose another port"
            ) from error
        return bytes(socket_.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()
    raise ConfigError(
        f"feed endpoint {endpoint!r} must start with ipc:// or tcp://127.0.0.1: correct it in station.toml"
    )


def _bind_ipc(socket_: "zmq.Socket[Any]", path: Path) -> None:
    if not path.is_absolute() or len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        raise ConfigError(
            f"feed socket path {str(path)!r} must be absolute and at most {_MAX_SOCKET_PATH} bytes: choose another"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(path)
        # The file must not be open to others for even a moment, and zmq has no argument for its mode. A umask is the
        # whole process's, but its worst effect on other threads is a file that is too private.
        before = os.umask(0o077)
        try:
            socket_.bind(f"{_IPC}{path}")
        finally:
            os.umask(before)
        path.chmod(0o600)
    except OSError as error:  # zmq.ZMQError is none of these
        raise InspectorError(
            f"feed socket {path} cannot be made ({error}): make its directory writable for the station's user"
        ) from error
    except zmq.ZMQError as error:
        raise InspectorError(
            f"feed socket {path} cannot be bound ({error}): choose another path in station.toml"
        ) from error


def _remove_stale(path: Path) -> None:
    """Remove the socket of a station that is gone; refuse when it lives, or when the file is something else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(
            f"feed socket path {path} is an existing file that is no socket: choose another path or remove it"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise InspectorError(
                f"feed socket {path} cannot be examined ({error}): remove it or choose another path"
            ) from error
    raise InspectorError(f"feed socket {path} is in use by another running station: stop it, or choose another path")


def _tcp_host(endpoint: str) -> str:
    return endpoint.removeprefix(_TCP).rpartition(":")[0]


def _check_loopback(endpoint: str) -> None:
    host = _tcp_host(endpoint)
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ConfigError(
            f"feed endpoint {endpoint} would be open to other machines without encryption: use tcp://127.0.0.1:PORT or ipc://"
        )
