"""The domain's values as JSON and back, for the feed between station and dashboard.

`dump_json(value)` gives bytes, `validate_json(bytes)` gives the same frozen value or raises ValidationError. A value
with NaN in it, or with text that is no UTF-8, goes through `dump_python(value, mode="json")` and `json.dumps` instead.
"""

from pydantic import TypeAdapter

from inspector.domain.alarm import Alarm
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import StationState

PART: TypeAdapter[InspectedPart] = TypeAdapter(InspectedPart)
STATE: TypeAdapter[StationState] = TypeAdapter(StationState)
ALARM: TypeAdapter[Alarm] = TypeAdapter(Alarm)
