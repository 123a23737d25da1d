"""The live feed between station and dashboards over ZeroMQ. `docs/feed.md` describes the wire format."""

from inspector.adapters.feed.zmq_feed import ZmqFeed

__all__ = ["ZmqFeed"]
