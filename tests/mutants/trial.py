"""Runs tests against one mutant, in a forked process that has pytest and the libraries loaded."""

import importlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGXCPU

import hypothesis
import pytest
from tests.mutants.packages import Package

PROFILE = "mutants"
_ROOT = Path(__file__).resolve().parents[2]
_FORK = get_context("fork")
_MEMORY_MAX_BYTES = 4 << 30  # a mutant that never ends may also never stop collecting
_OPTIONS = (
    "--assert=plain",  # the others rewrite modules, which takes longer and warns of loaded ones
    "--exitfirst",
    "--tb=line",
    "--quiet",
    f"--hypothesis-profile={PROFILE}",
    "-pno:cacheprovider",
)

hypothesis.settings.register_profile(
    PROFILE,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),  # any failure will do
)


@dataclass(frozen=True)
class Baseline:
    """What the tests of a package need without a mutation."""

    exit_code: int
    cpu_s: float
    seconds_of: dict[str, float]  # by the test's id
    modules: tuple[str, ...]  # that are not ours


class Timetable:
    """A plugin of pytest: tests named as the module run first, then the fast ones."""

    def __init__(self, seconds_of: dict[str, float], module: Path | None = None) -> None:
        self._known = seconds_of
        self._names = () if module is None else (module.stem, module.parent.name)
        self.seconds_of: dict[str, float] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests."""
        items.sort(key=self._rank)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up how long a test takes."""
        seconds = self.seconds_of.get(report.nodeid, 0.0)
        self.seconds_of[report.nodeid] = seconds + report.duration

    def _rank(self, item: pytest.Item) -> tuple[bool, float]:
        is_named = any(name in item.path.stem for name in self._names)
        return not is_named, self._known.get(item.nodeid, 0.0)


def copy_tree(target: Path) -> None:
    """Copy what git knows and what it would add."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=_ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (_ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, target / name)


def measure(copy: Path, package: Package) -> Baseline:
    """Run a package's tests without a mutation, in a process of their own.

    Raises:
        RuntimeError: They fail, so that they cannot judge mutants.
    """
    receiver, sender = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_measure, args=(copy, package, sender))
    process.start()
    sender.close()
    try:
        baseline: Baseline = receiver.recv()
    finally:
        process.join()
    if baseline.exit_code:
        output = output_of(copy).read_text()
        raise RuntimeError(f"{package.name}: tests fail without a mutation, mend them:\n{output}")
    return baseline


def preload(modules: Iterable[str]) -> None:
    """Import libraries, so that forked processes need not."""
    for name in modules:
        with suppress(Exception):  # some can only be imported by others
            importlib.import_module(name)


def start(
    copy: Path, package: Package, baseline: Baseline, module: Path, cpu_max_s: int
) -> BaseProcess:
    """Start the tests of a package; the exit code is 0 if they pass."""
    process = _FORK.Process(target=_try, args=(copy, package, baseline, module, cpu_max_s))
    process.start()
    return process


def output_of(copy: Path) -> Path:
    """Return the file of what the last run in a copy printed."""
    return copy.with_suffix(".output")


def timed_out(process: BaseProcess) -> bool:
    """Return whether a process used up its time."""
    return process.exitcode in (-SIGXCPU, -9)


def _measure(copy: Path, package: Package, sender: Connection) -> None:
    timetable = Timetable({})
    code = _run(copy, package, timetable)
    used = resource.getrusage(resource.RUSAGE_SELF)
    modules = [
        name
        for name, module in sys.modules.items()
        if not (getattr(module, "__file__", None) or str(copy)).startswith(str(copy))
    ]
    cpu_s = used.ru_utime + used.ru_stime
    sender.send(Baseline(code, cpu_s, timetable.seconds_of, tuple(modules)))
    os._exit(code)


def _try(copy: Path, package: Package, baseline: Baseline, module: Path, cpu_max_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_max_s, cpu_max_s + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_MAX_BYTES, _MEMORY_MAX_BYTES))
    sys.dont_write_bytecode = True  # what is compiled from a mutant must not stay
    os._exit(_run(copy, package, Timetable(baseline.seconds_of, module)))


def _run(copy: Path, package: Package, timetable: Timetable) -> int:
    """Run the tests of a copy, as if this process had been started in it."""
    output = os.open(output_of(copy), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(copy)
    sys.path[:] = [
        entry if entry.startswith(sys.prefix) else entry.replace(str(_ROOT), str(copy))
        for entry in sys.path
    ]
    for name in [name for name in sys.modules if _is_ours(name)]:
        del sys.modules[name]
    files = [str(file) for file in package.test_files(copy)]
    return int(pytest.main([*_OPTIONS, *files], plugins=[timetable]))


def _is_ours(name: str) -> bool:
    """Return whether this process has loaded a module from the working tree."""
    return name.partition(".")[0] in ("shared", "tests") and not name.startswith("tests.mutants")
