"""`make mutants`: small faults in the rules, and how many of them the unit tests notice."""

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.mutations import Mutant, draw
from tests.mutants.packages import PACKAGES, Package
from tests.mutants.trial import Baseline, copy_tree, measure, preload, start, timed_out

from shared.basics.clock import elapsed_s

_KILLED_MIN_PERCENT = 85
_CPU_FACTOR = 2
_CPU_MARGIN_S = 10
_WALL_FACTOR = 20  # for a mutant that waits, which takes no processor time
_RESULTS = ("killed", "timed out", "survived")


@dataclass
class Trial:
    """A mutant under test; `folder` is the copy that it changes."""

    mutant: Mutant
    folder: Path
    process: BaseProcess
    ends_at_s: float


def main() -> int:
    """Draw mutants, try them and print the result; the exit code is 1 if too few are killed."""
    options = _options()
    packages = [package for package in PACKAGES if package.name in (options.only or _names())]
    began_s = elapsed_s()
    with TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Path(folder) / str(number) for number in range(options.processes)]
        for copy in copies:
            copy_tree(copy)
        mutants = draw(copies[0], packages, options.number, options.seed)
        _say(f"{len(mutants)} mutants, seed {options.seed}; measuring tests")
        baselines = {package.name: _measured(copies, package) for package in packages}
        _say(f"trying mutants on {len(copies)} processes")
        results = {}
        for mutant, result in _tried(mutants, copies, baselines):
            results[mutant] = result
            _say(f"{len(results):4} {result:9} {mutant.place} {mutant.mutation.operator}")
    _say(_report(packages, results, elapsed_s() - began_s))
    return int(_percent(list(results.values())) < _KILLED_MIN_PERCENT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=500, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--only", action="append", choices=_names(), help="mutate this package")
    parser.add_argument("--processes", type=int, default=cpu_count(), help="all processors")
    return parser.parse_args()


def _names() -> list[str]:
    return [package.name for package in PACKAGES]


def _measured(copies: list[Path], package: Package) -> Baseline:
    baseline = measure(copies[0], package)
    preload(baseline.modules)
    _say(f"  {package.name}: {len(baseline.seconds_of)} tests, {baseline.cpu_s:.0f} s")
    return baseline


def _tried(
    mutants: list[Mutant], copies: list[Path], baselines: dict[str, Baseline]
) -> Iterator[tuple[Mutant, str]]:
    """Try each mutant in a copy of its own, as many at once as there are copies."""
    waiting = mutants[::-1]
    free = copies[:]
    running: list[Trial] = []
    while waiting or running:
        while waiting and free:
            mutant = waiting.pop()
            running.append(_begin(mutant, free.pop(), baselines[mutant.mutation.package.name]))
        nearest_s = min(trial.ends_at_s for trial in running)
        wait([trial.process.sentinel for trial in running], max(0.0, nearest_s - elapsed_s()))
        for trial in [trial for trial in running if _has_ended(trial)]:
            running.remove(trial)
            free.append(trial.folder)
            yield trial.mutant, _end(trial)


def _begin(mutant: Mutant, folder: Path, baseline: Baseline) -> Trial:
    mutation = mutant.mutation
    file = folder / mutation.file
    shutil.copy2(file, _original(file))
    file.write_text(mutant.source)
    cpu_max_s = int(_CPU_FACTOR * baseline.cpu_s + _CPU_MARGIN_S)
    process = start(folder, mutation.package, baseline, mutation.file, cpu_max_s)
    return Trial(mutant, folder, process, elapsed_s() + _WALL_FACTOR * cpu_max_s)


def _has_ended(trial: Trial) -> bool:
    if trial.process.is_alive() and elapsed_s() >= trial.ends_at_s:
        trial.process.kill()
        trial.process.join()
    return not trial.process.is_alive()


def _end(trial: Trial) -> str:
    """Restore the copy, with its time of change, so that what was compiled stays valid."""
    trial.process.join()
    file = trial.folder / trial.mutant.mutation.file
    _original(file).replace(file)
    if timed_out(trial.process):
        return "timed out"
    return "killed" if trial.process.exitcode else "survived"


def _original(file: Path) -> Path:
    return file.with_suffix(".original")


def _report(packages: list[Package], results: dict[Mutant, str], seconds: float) -> str:
    lines = ["", f"{'':16}" + "".join(f"{title:>11}" for title in (*_RESULTS, "percent"))]
    for package in packages:
        own = [value for key, value in results.items() if key.mutation.package == package]
        if own:
            lines.append(_row(package.name, own))
    lines.append(_row("all", list(results.values())))
    lines.append(f"{len(results)} mutants in {seconds:.0f} s")
    survivors = [mutant for mutant, result in results.items() if result == "survived"]
    for mutant in sorted(survivors, key=lambda mutant: mutant.place):
        lines += ["", f"survived {mutant.place} ({mutant.mutation.operator})", mutant.diff]
    return "\n".join(lines)


def _row(name: str, results: list[str]) -> str:
    count = Counter(results)
    cells = "".join(f"{count[result]:>11}" for result in _RESULTS)
    return f"{name:16}{cells}{_percent(results):>10.1f}%"


def _percent(results: list[str]) -> float:
    """Return the share that tests noticed; a test that never ends is noticed, too."""
    return 100 * sum(result != "survived" for result in results) / max(1, len(results))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
