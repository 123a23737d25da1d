"""The way to the MES over MQTT.

Read in this order: `link` (settings and the paho client made of them), `backlog` (what to send next), `connection`
(one connection, from CONNECT to its end), `announcement` (birth and death), `publisher` (the thread that joins them).
For the demo and for tests: `embedded_broker` with its child `broker_process`, and `mes_receiver`.
"""

from inspector.adapters.mqtt.link import MqttLink, MqttTls
from inspector.adapters.mqtt.publisher import MqttPublisher

__all__ = ["MqttLink", "MqttPublisher", "MqttTls"]
