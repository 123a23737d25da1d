"""Staged classifiers on OpenVINO: the only room of the station that imports it.

`load_bundle` gives a checked `OpenVinoClassifier`, `read_info` what a bundle says of itself without compiling it.
"""

from inspector.adapters.openvino_runtime.classifier import OpenVinoClassifier, OpenVinoSession
from inspector.adapters.openvino_runtime.devices import available_devices
from inspector.adapters.openvino_runtime.loading import load_bundle, read_info

__all__ = ["OpenVinoClassifier", "OpenVinoSession", "available_devices", "load_bundle", "read_info"]
