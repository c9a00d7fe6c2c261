"""Find text that cannot be stored, in every kind of input.

PostgreSQL stores no NUL character, and UTF-8 has no lone surrogates (half characters), but JSON
can contain both as escapes.
"""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

__all__ = ["fault_in_json", "fault_of_text", "fault_of_url_part", "may_hide_bad_text"]

_NUL: Final = "holds a NUL character; leave it out"
_HALF: Final = "holds half a character (a lone surrogate); write it whole, or leave it out"
_NO_UTF8: Final = "is not UTF-8; write it in UTF-8 and percent-encode that"
_MEMBER: Final = "the name of a member "
_ESCAPE: Final = b"\\u"
_ESCAPED_BAD: Final = (b"\\u0000", b"\\ud", b"\\uD")


def fault_of_text(text: str) -> str | None:
    """Return the fault of a text, with the remedy; None when it can be stored."""
    if "\0" in text:
        return _NUL
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALF
    return None


def fault_of_url_part(raw: bytes) -> str | None:
    """Return the fault of a percent-encoded path or query; None when it can be stored."""
    if b"%" not in raw:
        return None
    try:
        return fault_of_text(unquote_to_bytes(raw).decode())
    except UnicodeDecodeError:
        return _NO_UTF8


def may_hide_bad_text(raw: bytes) -> bool:
    """Return whether JSON contains an escape that could be a fault; most JSON does not."""
    return _ESCAPE in raw and any(escape in raw for escape in _ESCAPED_BAD)


def fault_in_json(document: Any) -> tuple[tuple[str, ...], str] | None:  # noqa: ANN401 - JSON is any
    """Find the first text that cannot be stored; return its path and its fault, or None."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while waiting:
        place, node = waiting.pop()
        match node:
            case str():
                if (fault := fault_of_text(node)) is not None:
                    return place, fault
            case dict():
                for name, inner in node.items():
                    if (fault := fault_of_text(name)) is not None:
                        return place, _MEMBER + fault
                    waiting.append(((*place, name), inner))
            case list() | tuple():
                waiting += [((*place, str(n)), inner) for n, inner in enumerate(node)]
            case _:
                pass
    return None
