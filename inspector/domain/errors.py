"""Errors a person can act on: one sentence that says what is wrong, where, and the remedy."""


class InspectorError(Exception):
    """Base of every error that Inspector raises on purpose. `str(error)` is one sentence for a person."""

    exit_code = 1


class ConfigError(InspectorError):
    """A setting is wrong. Exit code 2, as for bad usage."""

    exit_code = 2


class ModelError(InspectorError):
    """A bundle is missing, damaged, or does not answer as its golden pictures say. The station refuses to start."""


class SourceError(InspectorError):
    """A camera, video or folder cannot deliver."""


class StoreError(InspectorError):
    """The verdict store cannot be opened or is used by another station."""


class StoreUnavailable(StoreError):  # noqa: N818  # a condition that may pass, named as such
    """A write failed (disk full, connection lost). It may work again later: parts are held meanwhile."""


class PublishError(InspectorError):
    """The broker refused, or cannot be reached with these settings."""


class ConservationError(InspectorError):
    """Triggers do not equal PASS + REJECT + HOLD: a part was lost. Never expected; stops the line."""
