"""Messages to the MES: made with the verdict, kept in the outbox until the broker has them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message at QoS 1. `event_id` is stable across restarts; `outbox_id` is the store's row, None until stored."""

    event_id: str
    topic: str
    payload: bytes
    outbox_id: int | None = None


@dataclass(frozen=True, slots=True)
class PublisherHealth:
    """How the way to the MES is doing.

    `acknowledged` counts messages that the broker took in this run; `refused_reason` is the broker's last refusal.
    """

    connected: bool
    detail: str
    acknowledged: int = 0
    refused_reason: str | None = None
