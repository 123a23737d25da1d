"""`python -m inspector.workshop.drawn_dataset FOLDER [PARTS]`: pictures of the simulated line as a data set, all test.

The lines drawn here are those that the shipped bundle was tested on, neither trained nor calibrated.
"""

import csv
import sys
from pathlib import Path

import cv2

from inspector.adapters.cameras.simulated_line import SimulatedLine, SimulatedLineConfig
from inspector.workshop.dataset import SPLIT_COLUMNS, SPLIT_FILE, Split

LINES = range(3000, 3010)
PARTS = 300


def draw_dataset(folder: Path, parts: int) -> None:
    """Write `parts` parts, the lines in turn, into a folder per class with a split.csv. A line is a group."""
    rows = []
    lines = {seed: SimulatedLine(SimulatedLineConfig(seed=seed)) for seed in LINES[:parts]}
    for number in range(parts):
        seed = LINES[number % len(LINES)]
        picture, truth = lines[seed].render(number // len(LINES))
        label = truth.defect_class or "ok"
        path = f"{label}/{seed}_{number // len(LINES):04}.png"
        (folder / label).mkdir(parents=True, exist_ok=True)
        encoded, data = cv2.imencode(".png", picture)
        if not encoded:
            raise ValueError(f"picture {path} cannot be encoded")
        (folder / path).write_bytes(data.tobytes())
        rows.append((path, label, Split.TEST.value, str(seed)))
    with (folder / SPLIT_FILE).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([SPLIT_COLUMNS, *rows])


if __name__ == "__main__":
    draw_dataset(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else PARTS)
