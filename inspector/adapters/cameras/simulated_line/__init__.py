"""A simulated inspection line: machined plates on a belt, with known defects.

`line` says which part comes when; `geometry` and `parts` draw the plate, `harmless` and `defects` mark it (with the
strokes of `painting` and the fields of `texture`), `scene` puts it on the belt and takes the picture, `source` is the
port. The shipped bundle is trained on these pictures: whoever changes a pixel must train it again.
"""

from inspector.adapters.cameras.simulated_line.line import (
    DEFECT_CLASSES,
    EVIDENT_SEVERITY,
    SimulatedLine,
    SimulatedLineConfig,
)
from inspector.adapters.cameras.simulated_line.source import SimulatedLineSource

__all__ = ["DEFECT_CLASSES", "EVIDENT_SEVERITY", "SimulatedLine", "SimulatedLineConfig", "SimulatedLineSource"]
