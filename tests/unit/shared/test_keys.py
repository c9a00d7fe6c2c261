"""The text of a key: hard to guess, and impossible to mistype unnoticed."""

import string
from itertools import product

from shared.platform.api_keys import ApiKey, make_key, read_key


def test_a_key_is_read_as_it_was_made() -> None:
    """Its prefix names it, its digest is that of the whole text."""
    key = make_key()
    assert read_key(key.text) == key
    assert key.text.startswith(f"pk_{key.prefix}_")
    assert len(key.digest) == 32


def test_every_change_of_one_character_is_found() -> None:
    """Wherever it is and whatever it becomes: no database is asked about it."""
    text = make_key().text
    letters = f"{string.ascii_letters}{string.digits}_- "
    changed = {
        f"{text[:place]}{letter}{text[place + 1 :]}"
        for place, letter in product(range(len(text)), letters)
    }
    assert [key for key in changed - {text} if read_key(key)] == []


def test_a_key_cut_short_or_run_on_is_found() -> None:
    """A careless selection of the text is no key."""
    text = make_key().text
    cut = [text[:-1], text[1:], f"{text}x", f" {text}", f"{text}\n", ""]
    assert [key for key in cut if read_key(key)] == []


def test_two_keys_have_nothing_in_common() -> None:
    """They are drawn by lot."""
    keys = [make_key() for _ in range(100)]
    assert len({key.prefix for key in keys}) == len({key.digest for key in keys}) == 100


def test_a_key_does_not_show_itself() -> None:
    """Where values are shown, in a log or in a traceback, its text is not among them."""
    key = make_key()
    assert repr(key) == f"ApiKey(prefix={key.prefix!r})"
    assert ApiKey("x", "y") != ApiKey("x", "z")
