"""Code and documents use plain words: none of those below, not even as a part of a name."""

import re
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
INSTEAD: Final = {
    **dict.fromkeys(("tell", "tells", "told", "telling"), "report, publish, notify, return"),
    **dict.fromkeys(("somebody", "nobody", "whoever"), "the role: specialist, customer, operator"),
    **dict.fromkeys(("hear", "hears", "heard"), "receive, read"),
    "anew": "again",
    "lets": "the verb of what happens",
    "whence": "from where",
    "acquaintance": "account affinity",
    "letterhead": "message composer",
}
QUOTES: Final = {
    "CHANGELOG.md": "names that were",
    "README.md": "the text of a customer",
    "deploy/lab/src/lab/bench/load.py": "the text of a customer",
    "docs/bench-due.md": "a table that was measured earlier",
    "docs/criticality.md": "the text of a customer",
    "docs/explain.md": "a text of the inbox",
    "services/intake/src/intake/domain/criticality/rules.py": "phrases of customers",
    "services/notifier/src/notifier/domain.py": "texts of mails",
    "services/router/src/router/pages/actions.py": "texts of the inbox",
    "shared/src/shared/events/requests.py": "the text of a customer",
    "shared/src/shared/web/sign_in.py": "texts of a page",
    "shared/src/shared/wording/assignments.py": "texts of the inbox",
    "shared/src/shared/wording/decisions.py": "texts of the inbox",
    "shared/src/shared/wording/waiting.py": "texts of the inbox",
    "tests/pgbouncer.py": "the name of a system user",
    "tests/tidy/test_words.py": "the list itself",
}
"""Files that quote such words, and what they quote."""
TESTS_OF_TEXTS: Final = re.compile(
    r"tests/(unit|integration|e2e|accuracy|browser|matching|tidy)/.*\.py"
)
WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def test_words_are_plain() -> None:
    """The failure names the file, the line, the word, and what to use instead."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "Makefile"],  # noqa: S607 - git is on PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.splitlines() if name not in QUOTES]
    assert len(names) > 500
    found = [
        f"{name}:{number}: {word!r}; use {INSTEAD[word.lower()]}"
        for name in names
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1)
        for word in WORD.findall(_without_texts(name, line))
        if word.lower() in INSTEAD
    ]
    assert found == []


def test_each_quote_is_needed() -> None:
    """A file that quotes no such word any more leaves the list."""
    unneeded = [
        name
        for name in QUOTES
        if not INSTEAD.keys() & {w.lower() for w in WORD.findall((ROOT / name).read_text("utf-8"))}
    ]
    assert unneeded == []


def _without_texts(name: str, line: str) -> str:
    """Leave out what a test quotes: texts of pages, mails and customers."""
    return re.sub(r'"[^"]*"', "", line) if TESTS_OF_TEXTS.fullmatch(name) else line
