"""Finds the dead letters that mention a requester, although their content could not be read.

A dead letter matches when it contains the requester's id as a whole word, in any of the usual
encodings.
"""

import json
import re
from typing import Any, Final

from shared.basics.errors import Poison
from shared.events.codec import read_json
from shared.platform.dead_letters import DeadLetter

__all__ = ["encodings_of", "mentions", "source_of"]

_ENCODINGS: Final = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
_WHOLE_WORD: Final = rb"(?<![0-9A-Za-z])(?:%s)(?![0-9A-Za-z])"


def encodings_of(requester_id: str) -> list[bytes]:
    """Encode an id in UTF-8, Latin-1 and UTF-16, plain and with JSON escapes."""
    texts = {
        requester_id,
        json.dumps(requester_id)[1:-1],
        json.dumps(requester_id, ensure_ascii=False)[1:-1],
    }
    found = {text.encode(name, "ignore") for text in texts for name in _ENCODINGS}
    return sorted(found - {b""})


def mentions(dead_letter: DeadLetter, ids: list[bytes]) -> bool:
    """Return whether key, value or headers contain one of the encoded ids as a whole word."""
    pattern = re.compile(_WHOLE_WORD % b"|".join(map(re.escape, ids)))
    headers = [part for name, value in dead_letter.headers for part in (name.encode(), value)]
    parts = (dead_letter.key, dead_letter.value, *headers)
    return any(pattern.search(part) for part in parts if part)


def source_of(dead_letter: DeadLetter) -> str | None:
    """Read the source of the document in a dead letter; None if that cannot be read either."""
    try:
        content: Any = read_json(dead_letter.value)
    except Poison:
        return None
    content = content.get("data", content) if isinstance(content, dict) else None
    source = content.get("source") if isinstance(content, dict) else None
    return source if isinstance(source, str) else None
