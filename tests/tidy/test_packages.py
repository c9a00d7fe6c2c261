"""Each package installs and imports alone: nothing leans on what only the workspace provides."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "shared": "shared/src/shared",
    "intake": "services/intake/src/intake",
    "router": "services/router/src/router",
    "sla-monitor": "services/sla-monitor/src/sla_monitor",
    "notifier": "services/notifier/src/notifier",
    "premium": "deploy/premium/src/premium",
}
ALLOWED = {"shared": {"shared"}} | {
    name: {"shared", Path(place).name} for name, place in PACKAGES.items() if name != "shared"
}
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if "testing" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(package.__path__[0])
"""


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_stands_alone(name: str, tmp_path: Path) -> None:
    """Installed by itself, as a wheel, a package has all its files and imports all its modules."""
    source = ROOT / PACKAGES[name]
    _run(
        *("uv", "sync", "--frozen", "--no-editable", "--no-dev", "--package", name),
        *("--reinstall-package", name, "--reinstall-package", "shared"),  # built anew, never cached
        cwd=ROOT,
        environment=tmp_path / "venv",
    )
    python = tmp_path / "venv" / "bin" / "python"
    installed = Path(_run(str(python), "-I", "-c", IMPORT_ALL, source.name, cwd=tmp_path).strip())
    assert _files(installed) == _files(source)
    neighbours = {path.name for path in installed.parent.iterdir()}
    ours = {Path(place).name for place in PACKAGES.values()}
    assert neighbours & ours <= ALLOWED[name]


def _run(*command: str, cwd: Path, environment: Path | None = None) -> str:
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment), "PYTHONPATH": ""}
    ran = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _files(folder: Path) -> set[str]:
    """List a package's files as a reader would: without what Python makes of them."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
