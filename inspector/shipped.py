"""Where the files lie that travel with Inspector: the demo's bundle and recipe.

In a checkout they stand in `models/` and `config/`; a wheel carries copies inside the package (see pyproject.toml).
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "shipped_files"
_CHECKOUT = _PACKAGE.parent


def bundles_dir() -> Path:
    """The folder that holds the shipped model bundles."""
    return _IN_WHEEL / "models" if _IN_WHEEL.is_dir() else _CHECKOUT / "models"


def recipes_dir() -> Path:
    return _IN_WHEEL / "recipes" if _IN_WHEEL.is_dir() else _CHECKOUT / "config" / "recipes"
