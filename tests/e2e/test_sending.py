"""The examples of README and docs/sending.md are run unchanged, and their receipts read."""

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
"""Replaces kcat, with only those options that the docs use."""
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
    """Read all examples, in the order of the documents."""
    section = SECTION.search((ROOT / "README.md").read_text())
    assert section
    return BLOCK.findall(section[0]) + BLOCK.findall((ROOT / "docs" / "sending.md").read_text())


@pytest.fixture(scope="module")
def answers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Run all examples in one shell, in a folder like a clone, and return the output of each.

    Without kcat on this machine, a replacement accepts the options that the docs use, and calls
    `premium produce`: broker, topic, key and file are checked then, not kcat's own options.
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


def receipts(output: str) -> list[dict[str, Any]]:
    """Find the receipts in an example's output, on separate lines or not."""
    decoder, found, at = json.JSONDecoder(), [], output.find("{")
    while at >= 0:
        document, at = decoder.raw_decode(output, at)
        found.append(document)
        at = output.find("{", at)
    return [document for document in found if "outcome" in document]


def assert_promised(receipt: dict[str, Any], name: str) -> None:
    """Check that a receipt is of this request, and that a promise's spans add up to due_at."""
    assert f"{receipt['source']}/{receipt['external_id']}" == name
    assert receipt["outcome"] == "accepted"
    due = [promise for promise in receipt["promises"] if promise["due_at"]]
    assert due
    for promise in due:
        spans = [tuple(map(datetime.fromisoformat, s.values())) for s in promise["spans"]]
        counted = sum((until - since for since, until in spans), timedelta())
        assert counted == timedelta(seconds=promise["target_s"])
        assert spans[-1][1] == datetime.fromisoformat(promise["due_at"])


def test_every_example_is_checked(answers: list[str]) -> None:
    """A new example needs a new test here."""
    assert len(answers) == 7
    assert "northwind" in answers[0]


def test_curl_gets_the_receipt_twice(answers: list[str]) -> None:
    """The answer and the receipt read later are equal: accepted, with a promise."""
    first, again = receipts(answers[1])
    assert_promised(first, "app-form/A-1001")
    assert first == again


def test_a_request_by_kafka_has_a_receipt_on_the_topic(answers: list[str]) -> None:
    """The receipt has the documented key."""
    [receipt] = receipts(answers[2])
    assert_promised(receipt, "phone/P-1001")


def test_a_signed_webhook_is_answered_and_has_a_receipt(answers: list[str]) -> None:
    """The answer has the outcome, the receipt the promise."""
    assert '{"answers":[{"outcome":"accepted"' in answers[3].replace('"position":0,', "")
    [receipt] = receipts(answers[3])
    assert_promised(receipt, "helpdesk/12")


def test_python_gets_the_same_answer_as_curl(answers: list[str]) -> None:
    """The example prints each promise, and the receipt."""
    [receipt] = receipts(answers[4])
    assert_promised(receipt, "chat/C-1001")
    facts = [line.split(" due at ")[1] for line in answers[4].splitlines() if " due at " in line]
    assert facts == [str(promise["due_at"]) for promise in receipt["promises"]]


async def test_kcat_sends_what_premium_produce_sends(answers: list[str], stack: Stack) -> None:
    """Bytes, key and topic are the same, and its receipts are shown."""
    lines = [line for line in answers[5].splitlines() if line.startswith("phone/P-1001 {")]
    assert_promised(receipts(lines[0])[0], "phone/P-1001")
    sent = await consumed(stack.addresses.kafka_bootstrap, "inbound.v1", b"phone/P-1001")
    assert len(sent) == 2
    assert sent[0] == sent[1]


def test_a_later_fact_is_accepted(answers: list[str]) -> None:
    """It belongs to the request that curl sent."""
    [receipt] = receipts(answers[6])
    assert (receipt["external_id"], receipt["outcome"]) == ("A-1001", "accepted")
