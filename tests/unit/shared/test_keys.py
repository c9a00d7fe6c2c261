"""The format of an API key: random, and typing errors are detected."""

import string
from itertools import product

from shared.platform.api_keys import ApiKey, make_key, read_key


def test_a_generated_key_can_be_parsed() -> None:
    """Parsing returns the prefix, and the digest of the whole text."""
    key = make_key()
    assert read_key(key.text) == key
    assert key.text.startswith(f"pk_{key.prefix}_")
    assert len(key.digest) == 32


def test_every_single_character_error_is_detected() -> None:
    """A changed character is detected without a database lookup."""
    text = make_key().text
    letters = f"{string.ascii_letters}{string.digits}_- "
    changed = {
        f"{text[:place]}{letter}{text[place + 1 :]}"
        for place, letter in product(range(len(text)), letters)
    }
    assert [key for key in changed - {text} if read_key(key)] == []


def test_a_key_of_the_wrong_length_is_refused() -> None:
    """Missing or additional characters are detected."""
    text = make_key().text
    cut = [text[:-1], text[1:], f"{text}x", f" {text}", f"{text}\n", ""]
    assert [key for key in cut if read_key(key)] == []


def test_two_keys_are_different() -> None:
    """Keys are random."""
    keys = [make_key() for _ in range(100)]
    assert len({key.prefix for key in keys}) == len({key.digest for key in keys}) == 100


def test_the_repr_of_a_key_omits_its_text() -> None:
    """The `repr` of a key, as in logs and tracebacks, omits its text."""
    key = make_key()
    assert repr(key) == f"ApiKey(prefix={key.prefix!r})"
    assert ApiKey("x", "y") != ApiKey("x", "z")
