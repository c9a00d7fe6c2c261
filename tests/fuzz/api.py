"""`python -m tests.fuzz.api`: intake answers any request as its OpenAPI document declares."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from secrets import token_bytes
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from devstack.stack import Stack
from premium.accounts.topic import publish
from premium.api import admin_api
from shared.testing.builders import an_account
from shared.webhooks import load_connections

__all__ = ["FIRST", "answers", "hold_beside_its_document"]

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[1]
_HOOKS: Final = "tests.fuzz.hooks"
_ST: Final = Path(sys.executable).with_name("st")
_WORKERS: Final = "2"
_HELPDESK: Final = _ROOT / "docs" / "examples" / "webhooks-helpdesk.yaml"
_HELPDESK_NAME: Final = "helpdesk"
_SECRET_FILE: Final = "helpdesk-2026"
_SECRET: Final = f"whsec_{b64encode(token_bytes(32)).decode()}"
FIRST: Final = "examples,coverage,fuzzing,stateful"
_NEXT: Final = "fuzzing,stateful"
"""The others try the same whatever the seed."""
_EXAMPLES: Final = 60
"""At most, an operation and round: with many the search for one more takes ever longer."""


def main() -> int:
    """Test a running intake; return schemathesis' exit code, 1 for any failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="at least")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    asked = parser.parse_args()
    counts: Counter[tuple[str, int]] = Counter()
    failed = 0
    with TemporaryDirectory(prefix="premium-fuzz-") as folder:
        stack = Stack(Path(folder) / "stack")
        try:
            asyncio.run(_start(stack))
            for round_ in count():
                report = Path(folder) / str(round_)
                report.mkdir()
                failed = hold_beside_its_document(
                    stack.addresses.http("intake"),
                    stack.addresses.headers("intake")["authorization"],
                    report,
                    seed=asked.seed + round_,
                    phases=_NEXT if round_ else FIRST,
                    examples=_EXAMPLES,
                )
                counts += Counter(answers(report))
                if failed or counts.total() >= asked.cases:
                    break
        finally:
            asyncio.run(stack.down(wipe=True))
    Console().print(_table(counts))
    return failed


async def _start(stack: Stack) -> None:
    """Run intake alone, with a purchase for the example account and a webhook connection."""
    await stack.up(["intake"])
    await publish(stack.profile, [an_account()])
    intake = admin_api(stack.profile, "intake")
    for connection in load_connections(_HELPDESK):
        await intake.send("PUT", f"/webhooks/{connection.name}", type(None), connection.document)
    secrets = stack.folder / "webhook-secrets"
    secrets.mkdir(mode=0o700)
    (secrets / _SECRET_FILE).write_text(_SECRET)


def hold_beside_its_document(
    address: str, key: str, report: Path, *, seed: int = 1, phases: str = FIRST, examples: int
) -> int:
    """Run schemathesis against the service at ``address``; it writes its requests into ``report``.

    ``key`` is the Authorization header. Returns schemathesis' exit code, 1 for any failure.
    """
    settings = {
        "PREMIUM_KEY": key,
        "PREMIUM_CONNECTION": _HELPDESK_NAME,
        "PREMIUM_WEBHOOK_SECRET": _SECRET,
    }
    options = ["-n", str(examples), "--seed", str(seed), "--workers", _WORKERS, "--phases", phases]
    reporting = ["--report", "ndjson", "--report-dir", str(report)]
    place = f"{address}/openapi.json"
    done = subprocess.run(
        [_ST, "--config-file", _HERE / "schemathesis.toml", "run", place, *options, *reporting],
        cwd=report,
        env={**os.environ, **settings, "PYTHONPATH": str(_ROOT), "SCHEMATHESIS_HOOKS": _HOOKS},
        check=False,
    )
    return done.returncode


def answers(folder: Path) -> Iterator[tuple[str, int]]:
    """Read a report; return the operation and the status of each response."""
    for file in folder.glob("*.ndjson"):
        for line in file.read_text().splitlines():
            finished = json.loads(line).get("ScenarioFinished")
            if finished is not None:
                yield from _of(finished["recorder"])


def _of(recorder: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for exchange in recorder.get("interactions", {}).values():
        response = exchange["response"]
        if response is not None:
            yield recorder["label"], response["status_code"]


def _table(counts: Counter[tuple[str, int]]) -> Table:
    table = Table("operation", "status", "answers", title=f"{counts.total():,} cases")
    for (operation, status), many in sorted(counts.items()):
        table.add_row(operation, str(status), f"{many:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
