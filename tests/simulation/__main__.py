"""`make simulate`: many random histories, and all small ones, on all cores."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from os import cpu_count

from tests.simulation.driver import differences, shrunk
from tests.simulation.histories import History, draw
from tests.simulation.orders import ALPHABET, LENGTH_MAX, disagreements, small_histories

from shared.basics.clock import elapsed_s

_CHUNK = 500
_SHOWN_MAX = 5


def main() -> int:
    """Run the simulation; return 1 if engine and rules differ anywhere."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="how many random ones")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--length", type=int, default=LENGTH_MAX, help="facts in a small one")
    asked = parser.parse_args()
    with ProcessPoolExecutor(cpu_count()) as pool:
        seeds = range(asked.first_seed, asked.first_seed + asked.histories)
        failed = _random(pool, seeds)
        wrong = _small(pool, asked.length)
    for seed in failed[:_SHOWN_MAX]:
        _print(f"\nseed {seed}", _lines_of(draw(seed)))
    for lines in wrong[:_SHOWN_MAX]:
        _print("\na small history", lines)
    return 1 if failed or wrong else 0


def _random(pool: ProcessPoolExecutor, seeds: range) -> list[int]:
    began_s = elapsed_s()
    chunks = [seeds[i : i + _CHUNK] for i in range(0, len(seeds), _CHUNK)]
    failed = list(chain.from_iterable(pool.map(_failing, chunks)))
    took_s = elapsed_s(began_s)
    _print(
        f"{len(seeds):,} random histories, seeds {seeds.start} to {seeds.stop - 1}: "
        f"{took_s:.0f} s, {len(seeds) / took_s:,.0f}/s, {len(failed)} differ from the rules"
    )
    return failed


def _small(pool: ProcessPoolExecutor, length: int) -> list[list[str]]:
    began_s = elapsed_s()
    histories = list(small_histories(length))
    judged = pool.map(disagreements, histories, chunksize=8)
    found = [lines for lines in judged if lines]
    _print(
        f"{len(histories):,} small histories, all of up to {length} of {len(ALPHABET)} facts, "
        f"in every order: {elapsed_s(began_s):.0f} s, {len(found)} differ"
    )
    return found


def _failing(seeds: Iterable[int]) -> list[int]:
    return [seed for seed in seeds if differences(draw(seed))]


def _lines_of(history: History) -> Iterator[str]:
    smallest = shrunk(history)
    yield from smallest.lines()
    yield from differences(smallest)


def _print(line: str, more: Iterable[str] = ()) -> None:
    sys.stdout.write("\n".join([line, *more]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
