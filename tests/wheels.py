"""Environments in which one of our packages is installed alone, as a wheel."""

import os
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["NEEDS", "distribution", "installed", "run"]

ROOT: Final = Path(__file__).parents[1]
NEEDS: Final = {"devstack": {"premium"}, "lab": {"devstack", "premium"}}
"""What a package may bring along besides `shared`."""


def installed(name: str, folder: Path) -> Path:
    """Install a package by itself; the folder of its programs comes back."""
    ours = ("shared", name, *NEEDS.get(name, ()))
    run(
        *("uv", "sync", "--frozen", "--no-editable", "--no-dev", "--package", distribution(name)),
        *(
            word for one in ours for word in ("--reinstall-package", distribution(one))
        ),  # not cached
        cwd=ROOT,
        environment=folder / "venv",
    )
    return folder / "venv" / "bin"


def distribution(name: str) -> str:
    """Return the name of a package on an index, where `router` or `shared` would be strangers'."""
    return f"premium-support-{'cli' if name == 'premium' else name}"


def run(*command: str, cwd: Path, environment: Path | None = None) -> str:
    """Run a command that must succeed; what it printed comes back."""
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment), "PYTHONPATH": ""}
    ran = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
