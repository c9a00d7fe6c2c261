"""Every command of README, docs/sending.md and docs/inbox.md runs as printed, in that order."""

import asyncio
import json
import os
import re
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any, Final
from uuid import UUID

import pytest
from playwright.async_api import Page, expect
from tests.browser.chromium import running_chromium
from tests.e2e.conftest import watching

from devstack.stack import Stack
from premium.records import consumed
from shared.events import ClockMet

ROOT: Final = Path(__file__).parents[2]
SECTIONS: Final = re.compile(
    r"^## (?:Your first ten minutes|Send more tickets)\n.*?(?=^## )", re.MULTILINE | re.DOTALL
)
BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_CLONED: Final = {".git", ".premium", ".venv"}
INHERITED: Final = re.compile(r"PREMIUM_|MAKE|MFLAGS|ARGS")
"""Variables of a surrounding `make e2e` that a newcomer's shell does not have."""
RUN_S_MAX: Final = 600
SEPARATOR: Final = b"\x1e"
SPECIALIST: Final = "mara"
KCAT: Final = '''\
#!{python}
"""Replaces kcat, with only those options that the docs use."""
import subprocess, sys, tomllib
with open(".premium/profile.toml", "rb") as profile:
    bootstrap = tomllib.load(profile)["kafka"]["bootstrap"]
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
sys.exit(sent.returncode or broker != bootstrap)
'''


def blocks() -> list[str]:
    """Return all examples, in the order in which a newcomer reads them."""
    first, more = SECTIONS.findall((ROOT / "README.md").read_text())
    others = ((ROOT / "docs" / name).read_text() for name in ("sending.md", "inbox.md"))
    return [block for page in (first, more, *others) for block in BLOCK.findall(page)]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a folder that looks like a fresh clone whose environment is installed.

    kcat itself runs where it is installed. Elsewhere a stand-in accepts exactly the options that
    the docs show, and sends by `premium produce`: that checks broker, topic, key and file, but not
    how kcat reads its options.
    """
    folder = tmp_path_factory.mktemp("clone")
    link_all(ROOT, folder, NOT_CLONED)
    (folder / ".venv").mkdir()
    link_all(Path(sys.prefix), folder / ".venv", {".ready"})
    (folder / ".venv" / ".ready").touch()
    (folder / "bin").mkdir()
    if which("kcat") is None:
        kcat = folder / "bin" / "kcat"
        kcat.write_text(KCAT.format(python=sys.executable))
        kcat.chmod(kcat.stat().st_mode | stat.S_IXUSR)
    yield folder
    asyncio.run(Stack(folder / ".premium").down(wipe=True))


def link_all(source: Path, target: Path, others: set[str]) -> None:
    """Link all entries of a folder into another one, but for ``others``."""
    for entry in source.iterdir():
        if entry.name not in others:
            (target / entry.name).symlink_to(entry)


@pytest.fixture(scope="module")
def answers(clone: Path) -> list[str]:
    """Run all examples in one shell, and do in a browser what README asks for between them.

    The output of each example comes back.
    """
    return asyncio.run(read_along(clone))


async def read_along(clone: Path) -> list[str]:
    """Run the examples, each after the reader has finished with the one before."""
    async with asyncio.timeout(RUN_S_MAX), running_chromium() as browser:
        page = await browser.new_page()
        interludes: dict[str, Callable[[str], Awaitable[None]]] = {
            "premium inbox link mara\n": lambda output: sign_in(page, output.strip()),
            "/v1/receipts/app-form/A-1001": lambda output: respond(page, clone, output),
        }
        return await run_blocks(clone, blocks(), interludes)


async def sign_in(page: Page, link: str) -> None:
    """Open a personal link, and keep the page open."""
    await page.goto(link)
    await page.get_by_role("button", name=label("Sign in")).click()
    await page.wait_for_selector("body[data-live=live]")


async def respond(page: Page, clone: Path, output: str) -> None:
    """Read the ticket in the inbox, record the answer, and wait until its promise is met."""
    await page.locator("section:has(#mine) [data-row] a").click()
    await page.get_by_role("button", name=label("Show what was written")).click()
    await expect(page.get_by_text("Since 09:40 nobody in our company can log in.")).to_be_visible()
    await page.get_by_role("button", name=label("Responded")).click()
    await expect(page.get_by_text(f"{label('Waiting for customer')} (1)")).to_be_visible()
    [receipt, _] = receipts(output)
    async with watching(Stack.attach(clone / ".premium")) as watch:
        await watch.until(UUID(receipt["ticket_id"]), ClockMet)


def label(text: str) -> str:
    """Return the label of a button or list, after a check that README names it."""
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"*{text}*" in readme, f"README does not name {text}"
    return text


async def run_blocks(
    folder: Path,
    scripts: Sequence[str],
    interludes: Mapping[str, Callable[[str], Awaitable[None]]],
) -> list[str]:
    """Run scripts in one shell; after one that contains a key of ``interludes``, wait for that."""
    parts = (f"{{\n{part}}} </dev/null\nprintf '\\036'\nread -r _\n" for part in scripts)
    outputs = []
    async with shell(folder, "".join(parts)) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for script in scripts:
            try:
                output = await process.stdout.readuntil(SEPARATOR)
            except asyncio.IncompleteReadError as e:
                errors = (folder / "stderr").read_text()
                raise AssertionError(f"{script}\n{e.partial.decode()}\n{errors}") from None
            outputs.append(output.removesuffix(SEPARATOR).decode())
            for command, interlude in interludes.items():
                if command in script:
                    await interlude(outputs[-1])
            process.stdin.write(b"\n")
        assert await process.wait() == 0
    return outputs


@asynccontextmanager
async def shell(folder: Path, script: str) -> AsyncIterator[Process]:
    """Start a shell that stops at the first failed command; its errors go to a file."""
    env = {name: value for name, value in os.environ.items() if not INHERITED.match(name)}
    with (folder / "stderr").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *("/bin/bash", "-eu", "-o", "pipefail", "-c", script),
            cwd=folder,
            env={**env, "PATH": f"{folder / 'bin'}:{env['PATH']}", "COLUMNS": "200"},
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def receipts(output: str) -> list[dict[str, Any]]:
    """Return the receipts in the output of an example."""
    decoder, found, at = json.JSONDecoder(), [], output.find("{")
    while at >= 0:
        document, at = decoder.raw_decode(output, at)
        found.append(document)
        at = output.find("{", at)
    return [document for document in found if "outcome" in document]


def assert_promised(receipt: dict[str, Any], name: str) -> None:
    """Check that a receipt is of this request, and that each promise's spans end at due_at."""
    assert f"{receipt['source']}/{receipt['external_id']}" == name
    assert receipt["outcome"] == "accepted"
    due = [promise for promise in receipt["promises"] if promise["due_at"]]
    assert due
    for promise in due:
        spans = [tuple(map(datetime.fromisoformat, s.values())) for s in promise["spans"]]
        counted = sum((until - since for since, until in spans), timedelta())
        assert counted == timedelta(seconds=promise["target_s"])
        assert spans[-1][1] == datetime.fromisoformat(promise["due_at"])


def test_every_example_has_a_test(answers: list[str]) -> None:
    """A new example needs a new test here."""
    assert len(answers) == 12


def test_the_stack_starts_and_prints_its_addresses(answers: list[str]) -> None:
    """`make up` ends with a table of addresses."""
    assert "mails" in answers[0]
    assert "sla-monitor" in answers[0]


def test_an_account_and_a_specialist_are_published(answers: list[str]) -> None:
    """Each import prints what it changed."""
    assert "northwind" in answers[1]
    assert SPECIALIST in answers[2]


def test_a_ticket_is_answered_with_the_receipt_that_is_read_again(answers: list[str]) -> None:
    """Both receipts are equal: accepted, with a promise."""
    first, again = receipts(answers[4])
    assert_promised(first, "app-form/A-1001")
    assert first == again


def test_the_ticket_answered_in_the_inbox_has_its_promise_met(answers: list[str]) -> None:
    """`premium explain` names the specialist, and shows that the first response was in time."""
    assert SPECIALIST in answers[5]
    assert re.search(r"^First response: (?:kept|met)", answers[5], re.MULTILINE)


def test_a_request_by_kafka_has_a_receipt_on_the_topic(answers: list[str]) -> None:
    """The receipt has the key that README names."""
    [receipt] = receipts(answers[6])
    assert_promised(receipt, "phone/P-1001")


def test_a_signed_webhook_is_answered_and_has_a_receipt(answers: list[str]) -> None:
    """The answer holds the outcome, the receipt the promise."""
    assert '{"answers":[{"outcome":"accepted"' in answers[7].replace('"position":0,', "")
    [receipt] = receipts(answers[7])
    assert_promised(receipt, "helpdesk/12")


def test_python_gets_the_same_answer_as_curl(answers: list[str]) -> None:
    """The example prints each promise, and the receipt."""
    [receipt] = receipts(answers[8])
    assert_promised(receipt, "chat/C-1001")
    printed = [line.split(" due at ")[1] for line in answers[8].splitlines() if " due at " in line]
    assert printed == [str(promise["due_at"]) for promise in receipt["promises"]]


async def test_kcat_sends_what_premium_produce_sends(answers: list[str], clone: Path) -> None:
    """The same bytes go under the same key to the same topic, and kcat prints the receipts."""
    lines = [line for line in answers[9].splitlines() if line.startswith("phone/P-1001 {")]
    assert_promised(receipts(lines[0])[0], "phone/P-1001")
    bootstrap = Stack.attach(clone / ".premium").addresses.kafka_bootstrap
    sent = await consumed(bootstrap, "inbound.v1", b"phone/P-1001")
    assert len(sent) == 2
    assert sent[0] == sent[1]


def test_a_later_fact_is_accepted(answers: list[str]) -> None:
    """It names the request that curl sent."""
    [receipt] = receipts(answers[10])
    assert (receipt["external_id"], receipt["outcome"]) == ("A-1001", "accepted")


def test_two_links_are_printed(answers: list[str]) -> None:
    """One for a specialist, one for a lead."""
    links = answers[11].split()
    assert len(set(links)) == len(links) == 2
    assert all(link.startswith("http") for link in links)
