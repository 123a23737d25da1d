"""Inspector: edge inspection by dynamic execution, at certified quality."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("inspector")
except PackageNotFoundError:  # a bare checkout that was never installed
    __version__ = "0+unknown"
