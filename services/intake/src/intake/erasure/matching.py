"""Which dead letters are about a person: what can be told of bytes that could not be read.

One counts when the person's id stands in it as a word of its own, in any way in which a sender may
have written it, unless it says clearly that it is of another source.
"""

import json
import re
from typing import Any, Final

from shared.basics.errors import Poison
from shared.events.codec import read_json
from shared.platform.dead_letters import DeadLetter

__all__ = ["has_word", "source_of", "written"]

_ENCODINGS: Final = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
_ALONE: Final = rb"(?<![0-9A-Za-z])(?:%s)(?![0-9A-Za-z])"


def written(requester_id: str) -> list[bytes]:
    """Write an id in the encodings that senders use, plain and escaped as in JSON."""
    texts = {
        requester_id,
        json.dumps(requester_id)[1:-1],
        json.dumps(requester_id, ensure_ascii=False)[1:-1],
    }
    found = {text.encode(name, "ignore") for text in texts for name in _ENCODINGS}
    return sorted(found - {b""})


def has_word(letter: DeadLetter, sought: list[bytes]) -> bool:
    """Tell whether one of them stands in it, and is no part of a longer word."""
    alone = re.compile(_ALONE % b"|".join(map(re.escape, sought)))
    headers = [part for name, value in letter.headers for part in (name.encode(), value)]
    return any(alone.search(part) for part in (letter.key, letter.value, *headers) if part)


def source_of(letter: DeadLetter) -> str | None:
    """Read whose document it is; None when that cannot be read either."""
    try:
        content: Any = read_json(letter.value)
    except Poison:
        return None
    content = content.get("data", content) if isinstance(content, dict) else None
    source = content.get("source") if isinstance(content, dict) else None
    return source if isinstance(source, str) else None
