"""Compares the clock engine with the rules of promises, over random histories."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.simulation.driver import Run, differences, shrunk
from tests.simulation.histories import History, draw
from tests.simulation.orders import disagreements, small_histories

from shared.events import TicketClosed, TicketReopened
from shared.events.codec import headers_of, value_of

ROOT = Path(__file__).parents[2]
HISTORIES = 2500
SMALL_LENGTH = 4
SMALL_EVERY = 7
REPEATED = 200


def announced_by(seed: int) -> bytes:
    """Run a history, and return all announcements as bytes."""
    run = Run(draw(seed))
    run.play()
    return b"".join(repr((headers_of(a), value_of(a.event))).encode() for a in run.announced)


def digest() -> str:
    """Return a digest of the announcements of many histories."""
    return sha256(b"".join(map(announced_by, range(REPEATED)))).hexdigest()


def test_the_engine_keeps_the_rules() -> None:
    """The announcements of random histories, and their times, follow the rules."""
    failed = next((seed for seed in range(HISTORIES) if differences(draw(seed))), None)
    if failed is not None:
        smallest = shrunk(draw(failed))
        raise AssertionError(
            "\n".join([f"seed {failed}", *smallest.lines(), *differences(smallest)])
        )


def test_every_order_of_arrival_gives_one_result() -> None:
    """Any order of a few facts gives the clocks and breaches of the rules."""
    histories = list(small_histories(SMALL_LENGTH))[::SMALL_EVERY]
    found = [line for facts in histories for line in disagreements(facts)]
    assert not found, "\n".join(found)


def test_another_process_writes_the_same_bytes() -> None:
    """Announcements depend on the facts only, for example not on the order of a set."""
    code = f"from {__name__} import digest; print(digest())"
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == digest()


def test_shrinking_keeps_only_necessary_facts() -> None:
    """Shrinking keeps only the facts that the failure needs."""

    def fails(history: History) -> bool:
        types = [type(fact.event) for fact in history.facts]
        return TicketClosed in types and TicketReopened in types

    long = next(h for seed in range(HISTORIES) if fails(h := draw(seed)) and len(h.facts) > 8)
    assert {type(f.event) for f in shrunk(long, fails).facts} == {TicketClosed, TicketReopened}
