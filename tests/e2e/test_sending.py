"""What README and docs/sending.md show is run as it stands there, and its receipts are read."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any, Final

import pytest

from devstack.stack import Stack
from premium.records import consumed

ROOT: Final = Path(__file__).parents[2]
SECTION: Final = re.compile(r"^## Send a ticket\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_S_MAX: Final = 120
SEPARATE: Final = "\x1e"
KCAT: Final = '''\
#!{python}
"""Stands in for kcat, and knows no more of it than the docs use."""
import subprocess, sys
match sys.argv[1:]:
    case ["-P", "-b", broker, "-t", topic, "-k", key, file]:
        with open(file) as ticket:
            sent = subprocess.run(["premium", "produce", topic, key], stdin=ticket)
    case ["-C", "-b", broker, "-t", topic, "-e", "-f", r"%k %s\\n"]:
        key = "phone/P-1001"
        sent = subprocess.run(["premium", "consume", topic, key], stdout=subprocess.PIPE, text=True)
        print(*(f"{{key}} {{line}}" for line in sent.stdout.splitlines()), sep="\\n")
    case other:
        sys.exit(f"not kcat as it is used here: {{other}}")
sys.exit(sent.returncode or broker != {broker!r})
'''


def blocks() -> list[str]:
    """Read all examples, in the order in which a newcomer comes by them."""
    section = SECTION.search((ROOT / "README.md").read_text())
    assert section
    return BLOCK.findall(section[0]) + BLOCK.findall((ROOT / "docs" / "sending.md").read_text())


@pytest.fixture(scope="module")
def answers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Run all examples in one shell, in a folder that looks like a clone; what each said is given.

    kcat itself runs where there is one. Elsewhere a stand-in takes the very options that the docs
    show, and sends by `premium produce`: what is checked then is broker, topic, key and file, and
    not how kcat reads its options.
    """
    clone = tmp_path_factory.mktemp("clone")
    for name, place in (
        (".venv", Path(sys.prefix)),
        (".premium", stack.folder),
        ("docs", ROOT / "docs"),
    ):
        (clone / name).symlink_to(place)
    if which("kcat") is None:
        kcat = clone / "bin" / "kcat"
        kcat.parent.mkdir()
        broker = stack.addresses.kafka_bootstrap
        kcat.write_text(KCAT.format(python=sys.executable, broker=broker))
        kcat.chmod(kcat.stat().st_mode | stat.S_IXUSR)
    script = f"printf '\\{ord(SEPARATE):03o}'\n".join(blocks())
    env = {k: v for k, v in os.environ.items() if not k.startswith("PREMIUM_")}
    ran = subprocess.run(
        ["/bin/bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=clone,
        env={**env, "PATH": f"{clone / 'bin'}:{env['PATH']}"},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    yield ran.stdout.split(SEPARATE)
    (stack.folder / "webhook-secrets" / "helpdesk-2026").unlink()


def receipts(said: str) -> list[dict[str, Any]]:
    """Find the receipts in what an example said, line by line or end to end."""
    decoder, found, at = json.JSONDecoder(), [], said.find("{")
    while at >= 0:
        document, at = decoder.raw_decode(said, at)
        found.append(document)
        at = said.find("{", at)
    return [document for document in found if "outcome" in document]


def assert_promised(receipt: dict[str, Any], name: str) -> None:
    """See that a receipt is of this request, and that the spans of a promise add up to due_at."""
    assert f"{receipt['source']}/{receipt['external_id']}" == name
    assert receipt["outcome"] == "accepted"
    due = [promise for promise in receipt["promises"] if promise["due_at"]]
    assert due
    for promise in due:
        spans = [tuple(map(datetime.fromisoformat, s.values())) for s in promise["spans"]]
        counted = sum((until - since for since, until in spans), timedelta())
        assert counted == timedelta(seconds=promise["target_s"])
        assert spans[-1][1] == datetime.fromisoformat(promise["due_at"])


def test_every_example_is_looked_at(answers: list[str]) -> None:
    """A new example asks for a new rule here."""
    assert len(answers) == 7
    assert "northwind" in answers[0]


def test_curl_is_answered_with_the_receipt_that_is_read_again(answers: list[str]) -> None:
    """Both are accepted, with a promise, and the same."""
    first, again = receipts(answers[1])
    assert_promised(first, "app-form/A-1001")
    assert first == again


def test_kafka_is_answered_on_receipts(answers: list[str]) -> None:
    """Under the key that is told beforehand."""
    [receipt] = receipts(answers[2])
    assert_promised(receipt, "phone/P-1001")


def test_a_signed_webhook_is_answered_and_has_a_receipt(answers: list[str]) -> None:
    """The answer tells the outcome, the receipt the promise."""
    assert '{"answers":[{"outcome":"accepted"' in answers[3].replace('"position":0,', "")
    [receipt] = receipts(answers[3])
    assert_promised(receipt, "helpdesk/12")


def test_python_is_answered_as_curl_is(answers: list[str]) -> None:
    """It prints each promise, and the receipt."""
    [receipt] = receipts(answers[4])
    assert_promised(receipt, "chat/C-1001")
    told = [line.split(" due at ")[1] for line in answers[4].splitlines() if " due at " in line]
    assert told == [str(promise["due_at"]) for promise in receipt["promises"]]


async def test_kcat_sends_what_premium_produce_sends(answers: list[str], stack: Stack) -> None:
    """The same bytes under the same key to the same topic; and its receipts show."""
    lines = [line for line in answers[5].splitlines() if line.startswith("phone/P-1001 {")]
    assert_promised(receipts(lines[0])[0], "phone/P-1001")
    sent = await consumed(stack.addresses.kafka_bootstrap, "inbound.v1", b"phone/P-1001")
    assert len(sent) == 2
    assert sent[0] == sent[1]


def test_a_later_fact_is_taken(answers: list[str]) -> None:
    """It bears the name of the request that curl sent."""
    [receipt] = receipts(answers[6])
    assert (receipt["external_id"], receipt["outcome"]) == ("A-1001", "accepted")
