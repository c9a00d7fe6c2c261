"""Generates documents from code; with --check, prints those out of date and exits with 1."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from docs import asyncapi, metrics, readme, settings
from docs.services import HANDLERS, app_of

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
API: Final = ROOT / "docs" / "api"
REFERENCE: Final = ROOT / "docs" / "reference"
_WIDTH: Final = 100


def main() -> int:
    """Write the documents, or print which are out of date."""
    stale = out_of_date()
    if "--check" in sys.argv:
        sys.stderr.writelines(
            f"{path.relative_to(ROOT)} is out of date: run `make docs`\n" for path in stale
        )
        return int(bool(stale))
    for path, text in stale.items():
        path.write_text(text)
    return 0


def out_of_date() -> dict[Path, str]:
    """Return the generated files that differ from the code, with the text that they should have."""
    return {path: text for path, text in _documents().items() if not _has(path, text)}


def _documents() -> dict[Path, str]:
    openapi = {API / f"{service}.json": _json(app_of(service).openapi()) for service in HANDLERS}
    return {
        README: readme.renewed(README.read_text()),
        API / "asyncapi.yaml": _yaml(asyncapi.document()),
        REFERENCE / "settings.md": settings.page(),
        REFERENCE / "metrics.md": metrics.page(),
        **openapi,
    }


def _has(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _yaml(document: dict[str, Any]) -> str:
    """Write plain YAML: a value that occurs twice is written twice, not as an alias."""
    plain = json.loads(json.dumps(document))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=_WIDTH)


if __name__ == "__main__":
    sys.exit(main())
