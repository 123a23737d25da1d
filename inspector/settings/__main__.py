"""`python -m inspector.settings [FOLDER]`: writes the JSON schemas and docs/configuration.md of a checkout."""

import sys
from pathlib import Path

from inspector.settings.reference import made_files


def main(folder: Path) -> None:
    for path, text in made_files().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8", newline="\n")
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
