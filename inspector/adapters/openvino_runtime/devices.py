"""The one `ov.Core` of the process, the devices it sees and the properties they are run with."""

import functools
import threading
from typing import Any, Literal

import openvino as ov

from inspector.domain.errors import ModelError

Hint = Literal["LATENCY", "THROUGHPUT"]

_core_lock = threading.Lock()


def core() -> Any:
    """The process's only `ov.Core`: several would each bring their own plugins and threads."""
    with _core_lock:
        return _core()


@functools.cache
def _core() -> Any:
    return ov.Core()


def available_devices() -> tuple[str, ...]:
    """OpenVINO device names that a recipe can name on this machine, besides AUTO; for example ("CPU", "GPU.0")."""
    return tuple(core().available_devices)


def candidates(device: str) -> tuple[str, ...]:
    """The devices that `device` stands for, best first: a name such as CPU, GPU, GPU.1, NPU, AUTO, or AUTO:GPU,CPU.

    AUTO means GPUs of their own, then built-in ones, then the CPU. It is resolved here and not by OpenVINO's AUTO
    plugin, which starts on the CPU, moves on later and moves again after a failure: the golden pictures would have
    been checked on another device. Raises ModelError for a device that this machine does not have.
    """
    present = available_devices()
    if device == "AUTO":
        return tuple(sorted((name for name in present if name.split(".")[0] in ("GPU", "CPU")), key=_rank))
    named = tuple(name for name in device.removeprefix("AUTO:").split(",") if name)
    for name in named or (device,):
        if name not in present and name not in {other.split(".")[0] for other in present}:
            raise ModelError(
                f"there is no device '{name}' on this machine; the recipe can choose {', '.join(present)} or AUTO "
                "(if the device is built in, install its driver)"
            )
    return named


def properties(device: str, *, threads: int, hint: Hint) -> dict[str, Any]:
    """How `device` is asked to run: exact rather than fast arithmetic, and only as many CPU threads as were granted."""
    wanted: dict[str, Any] = {"PERFORMANCE_HINT": hint, "EXECUTION_MODE_HINT": "ACCURACY"}
    if device.split(".")[0] == "CPU":
        wanted |= {
            # Some CPUs would silently compute in bf16: scores moved by 0.01 on one of them.
            "INFERENCE_PRECISION_HINT": "f32",
            # One stream serves one caller at a time, in the caller's own thread if it may use one only. THROUGHPUT
            # gives every thread a stream of its own, so that as many sessions run side by side.
            "NUM_STREAMS": threads if hint == "THROUGHPUT" else 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinning puts the first thread of every compiled stage on core 0: two stages then share that core while
            # the others idle (openvino #31186).
            "ENABLE_CPU_PINNING": False,
        }
    supported = core().get_property(device, "SUPPORTED_PROPERTIES")
    return {name: value for name, value in wanted.items() if name in supported}


def can_export(device: str) -> bool:
    """Whether a model compiled for `device` can be kept and loaded again."""
    return "EXPORT_IMPORT" in core().get_property(device, "OPTIMIZATION_CAPABILITIES")


def identity(device: str) -> str:
    """What a compiled model depends on besides its files: runtime version and hardware."""
    return f"{ov.get_version()}/{device}/{core().get_property(device, 'FULL_DEVICE_NAME')}"


def _rank(device: str) -> tuple[int, str]:
    if device == "CPU":
        return (2, device)
    return (0 if "DISCRETE" in str(core().get_property(device, "DEVICE_TYPE")).upper() else 1, device)
