#!/usr/bin/env python3
"""Make a release of the workspace in the working folder: versions, changelog, lock, wheels, tag.

Nothing is pushed. What fails half-way leaves no commit and no tag: `git restore .` undoes the rest.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, NoReturn

CHANGELOG: Final = Path("CHANGELOG.md")
UNRELEASED: Final = "## Unreleased\n"
VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
EXIT_USAGE: Final = 2


def main() -> None:
    """Check first, then change; commit and tag last."""
    version, date = _arguments(sys.argv[1:])
    folders = _members()
    _check_version(version)
    if _output("git", "status", "--porcelain"):
        _fail("the working tree has changes: commit or stash them, then try again")
    changelog = _dated(CHANGELOG.read_text("utf-8"), f"## {version} - {date}\n")

    CHANGELOG.write_text(changelog, "utf-8")
    for folder in folders:
        _run("uv", "version", "--quiet", "--frozen", "--directory", str(folder), version)
    _run("uv", "lock")
    _run("make", "docs")  # the generated documents name the version
    _run("uv", "build", "--quiet", "--all-packages", "--wheel", "--clear", "--out-dir", "dist")
    _run("git", "commit", "--quiet", "--all", "--message", f"release: {version}")
    _run("git", "tag", "--annotate", f"v{version}", "--message", f"Premium Support {version}")
    _print_next_steps(version)


def _arguments(arguments: list[str]) -> tuple[str, str]:
    match arguments:
        case [version, date] if VERSION.fullmatch(version) and DATE.fullmatch(date):
            return version, date
        case _:
            sys.stderr.write("usage: make release VERSION=x.y.z (three numbers, without a v)\n")
            sys.exit(EXIT_USAGE)


def _members() -> list[Path]:
    """List the folders of the workspace, the root first."""
    patterns = _toml(Path())["tool"]["uv"]["workspace"]["members"]
    found = {
        path.parent for pattern in patterns for path in Path().glob(f"{pattern}/pyproject.toml")
    }
    return [Path(), *sorted(found)]


def _check_version(version: str) -> None:
    current = _toml(Path())["project"]["version"]
    if _numbers(version) < _numbers(current):
        _fail(f"VERSION {version} is older than {current} in pyproject.toml: choose a newer one")
    if _output("git", "tag", "--list", f"v{version}"):
        _fail(f"the tag v{version} exists: choose a newer version")


def _dated(changelog: str, heading: str) -> str:
    """Put what is unreleased under the heading of the version."""
    before, found, after = changelog.partition(f"\n{UNRELEASED}")
    if not found:
        _fail(f"{CHANGELOG} has no section '{UNRELEASED.strip()}': add it, with what changed")
    if not after.partition("\n## ")[0].strip():
        _fail(f"'{UNRELEASED.strip()}' in {CHANGELOG} is empty: write what changed for users")
    return f"{before}\n{UNRELEASED}\n{heading}{after}"


def _print_next_steps(version: str) -> None:
    services = sorted(path.parent.name for path in Path().glob("services/*/pyproject.toml"))
    lines = [
        f"Committed and tagged v{version}; nothing is pushed.",
        *(f"  {wheel}" for wheel in sorted(Path("dist").glob("*.whl"))),
        f"Push the commit and the tag:  git push origin HEAD v{version}",
        "Tag the images:",
        *(f"  premium-support/{service}:{version}" for service in services),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _toml(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _run(*command: str) -> None:
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own commands
        _fail(f"`{shlex.join(command)}` failed (see above): `git restore .` undoes the changes")


def _output(*command: str) -> str:
    return subprocess.run(  # noqa: S603 - our own commands
        command, check=True, capture_output=True, text=True
    ).stdout


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"release: {message}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
