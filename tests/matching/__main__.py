"""`make optimum`: promises kept on small days by lot, beside the most that could be."""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from statistics import mean
from typing import Final

from tests.matching.cases import Case, draw
from tests.matching.strategies import least_loaded, optimum, ours, round_robin

from shared.basics.clock import elapsed_s

WAYS: Final[dict[str, Callable[[Case], int]]] = {
    "router": ours,
    "least-loaded": least_loaded,
    "round-robin": round_robin,
}
_PERCENT: Final = 100


def kept(seed: int) -> list[float]:
    """Say what each way kept of what could be kept, in percent."""
    case = draw(seed)
    most = optimum(case)
    return [_PERCENT * way(case) / most if most else _PERCENT for way in WAYS.values()]


def main() -> int:
    """Print the table; the exit code says whether router keeps what it is to keep."""
    parser = argparse.ArgumentParser(prog="make optimum", description=__doc__)
    parser.add_argument("--rosters", type=int, default=500)
    parser.add_argument("--first-seed", type=int, default=0)
    asked = parser.parse_args()
    began_s = elapsed_s()
    with ProcessPoolExecutor(cpu_count()) as pool:
        seeds = range(asked.first_seed, asked.first_seed + asked.rosters)
        shares = [*zip(*pool.map(kept, seeds, chunksize=8), strict=True)]
    lines = ["| kept of the optimum | on average | worst | days below 98 % |", "|---|---|---|---|"]
    for name, of_way in zip(WAYS, shares, strict=True):
        below = sum(share < 98 for share in of_way)
        lines.append(f"| {name} | {mean(of_way):.2f} % | {min(of_way):.1f} % | {below} |")
    lines.append(f"\n{asked.rosters} rosters in {elapsed_s(began_s):.0f} s")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if mean(shares[0]) >= 98 and min(shares[0]) >= 90 else 1


if __name__ == "__main__":
    sys.exit(main())
