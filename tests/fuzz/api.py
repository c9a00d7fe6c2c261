"""`python -m tests.fuzz.api`: whatever comes to intake's door, it answers as its document says."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from premium.accounts.publication import publish
from premium.stack import Stack
from shared.testing.builders import an_account

__all__ = ["answers"]

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[1]
_HOOKS: Final = "tests.fuzz.hooks"
_ST: Final = Path(sys.executable).with_name("st")
_WORKERS: Final = "2"


def main() -> int:
    """Try a running intake; the exit code is that of schemathesis: 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--examples", type=int, default=1_000, help="at most, an operation")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="premium-fuzz-") as folder:
        stack = Stack(Path(folder) / "stack")
        try:
            asyncio.run(_start(stack))
            code = _try(stack, Path(folder), asked.examples, asked.seed)
        finally:
            asyncio.run(stack.down(wipe=True))
        Console().print(_table(Counter(answers(Path(folder)))))
    return code


async def _start(stack: Stack) -> None:
    """Run intake alone, and let the account of the examples have bought."""
    addresses = await stack.up(["intake"])
    await publish(addresses, [an_account()])


def _try(stack: Stack, report: Path, examples: int, seed: int) -> int:
    told = {"PREMIUM_KEY": stack.addresses.intake_headers["authorization"]}
    place = f"{stack.addresses.http('intake')}/openapi.json"
    options = ["-n", str(examples), "--seed", str(seed), "--workers", _WORKERS]
    reporting = ["--report", "ndjson", "--report-dir", str(report)]
    done = subprocess.run(
        [_ST, "--config-file", _HERE / "schemathesis.toml", "run", place, *options, *reporting],
        cwd=report,
        env={**os.environ, **told, "PYTHONPATH": str(_ROOT), "SCHEMATHESIS_HOOKS": _HOOKS},
        check=False,
    )
    return done.returncode


def answers(folder: Path) -> Iterator[tuple[str, int]]:
    """Read a report: the operation and the status of each answer."""
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
    for (operation, status), count in sorted(counts.items()):
        table.add_row(operation, str(status), f"{count:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
