"""The clock engine against the rules of promises, over histories that nobody thought of."""

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


def told_of(seed: int) -> bytes:
    """Play a history, and give all that is announced as it is written to Kafka."""
    run = Run(draw(seed))
    run.play()
    return b"".join(repr((headers_of(a), value_of(a.event))).encode() for a in run.announced)


def digest() -> str:
    """Sum up what many histories announce."""
    return sha256(b"".join(map(told_of, range(REPEATED)))).hexdigest()


def test_the_engine_keeps_the_rules() -> None:
    """What is announced of a random history, and when, is what the rules say."""
    failed = next((seed for seed in range(HISTORIES) if differences(draw(seed))), None)
    if failed is not None:
        smallest = shrunk(draw(failed))
        raise AssertionError(
            "\n".join([f"seed {failed}", *smallest.lines(), *differences(smallest)])
        )


def test_every_order_of_arrival_comes_to_one_end() -> None:
    """In whatever order a few facts are learned of, clocks and verdicts are those of the rules."""
    histories = list(small_histories(SMALL_LENGTH))[::SMALL_EVERY]
    found = [line for facts in histories for line in disagreements(facts)]
    assert not found, "\n".join(found)


def test_another_process_writes_the_same_bytes() -> None:
    """Nothing that is announced hangs on the order of a set, nor on anything else but the facts."""
    code = f"from {__name__} import digest; print(digest())"
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == digest()


def test_a_failing_history_is_shown_small() -> None:
    """Shrinking leaves only the facts without which nothing would fail."""

    def fails(history: History) -> bool:
        types = [type(fact.event) for fact in history.facts]
        return TicketClosed in types and TicketReopened in types

    long = next(h for seed in range(HISTORIES) if fails(h := draw(seed)) and len(h.facts) > 8)
    assert {type(f.event) for f in shrunk(long, fails).facts} == {TicketClosed, TicketReopened}
