"""Builds the bundles that Inspector ships, from data to manifest.

    python models/build.py lgp --data DATASET --out models/lgp
    python models/build.py simulated_line --out models/simulated_line

Everything particular to a product stands in `recipe_lgp.py` and `recipe_simulated_line.py`; the work is done by
`inspector.workshop`. Needs the extras `workshop` and `train` (see script/build-models). Runs repeat bit by bit on the
same machine and packages; elsewhere the figures come out the same within their intervals.
"""

import argparse
import sys
import time
from pathlib import Path

import recipe_lgp
import recipe_simulated_line

from inspector.domain.errors import InspectorError


def main() -> int:
    parser = argparse.ArgumentParser(description="Build a bundle that Inspector ships.")
    bundles = parser.add_subparsers(dest="bundle", required=True)
    lgp = bundles.add_parser("lgp", help="light guide plates")
    lgp.add_argument("--data", type=Path, required=True, help="folder of the lgp data set")
    line = bundles.add_parser("simulated_line", help="the simulated line of the demo")
    for command in (lgp, line):
        command.add_argument("--out", type=Path, required=True, help="folder of the bundle, replaced when complete")
        command.add_argument("--work", type=Path, default=Path("build/models"), help="cache of trained weights")
    arguments = parser.parse_args()
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {line}", flush=True)

    arguments.work.mkdir(parents=True, exist_ok=True)
    try:
        if arguments.bundle == "lgp":
            recipe_lgp.build(arguments.data, arguments.out, arguments.work, progress)
        else:
            recipe_simulated_line.build(arguments.out, arguments.work, progress)
    except InspectorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    progress(f"{arguments.out} is complete")
    return 0


if __name__ == "__main__":
    sys.exit(main())
