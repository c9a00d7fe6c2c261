"""The OpenAPI documents pass external linters, and generated clients work."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from tests.integration.intake.conftest import REQUEST, Intake
from tests.integration.intake.intake_process import serving

from shared.testing.databases import FreshDatabase

ROOT: Final = Path(__file__).parents[3]
HERE: Final = Path(__file__).parent
TOOLS: Final = ROOT / ".tools" / "clients"
SERVICES: Final = ("intake", "router", "sla-monitor", "notifier")
DOCUMENTS: Final = [str(ROOT / "docs" / "api" / f"{name}.json") for name in SERVICES]
SILENT: Final = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
STRICT: Final = ("--strict", "--noUncheckedIndexedAccess", "--noEmit", "--skipLibCheck")
MODULES: Final = (
    *("--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"),
    *("--lib", "es2022,dom", "--allowImportingTsExtensions"),
)


@pytest.fixture(scope="session")
def tools() -> Path:
    """Install the tools from their lock files, unless they are installed."""
    done = ran([ROOT / "deploy" / "clients"], ROOT)
    assert done.returncode == 0, done.stderr
    return TOOLS


def ran(
    command: Sequence[Path | str], folder: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with the tools and ours on its path; return its output."""
    places = (TOOLS / ".venv" / "bin", Path(sys.executable).parent)
    path = os.pathsep.join([*map(str, places), os.environ["PATH"]])
    env = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        command,
        cwd=folder,
        env={**env, **SILENT, **more, "PATH": path},
        text=True,
        capture_output=True,
        check=False,
    )


def node(tool: str, *words: str, folder: Path = TOOLS) -> subprocess.CompletedProcess[str]:
    """Run a Node tool."""
    return ran(["node", TOOLS / "node_modules" / ".bin" / tool, *words], folder)


@pytest.mark.usefixtures("tools")
def test_the_documents_keep_to_redoclys_recommended_rules() -> None:
    """Without errors and warnings."""
    done = node("redocly", "lint", "--extends=recommended", "--format=stylish", *DOCUMENTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout, done.stdout


@pytest.mark.usefixtures("tools")
def test_the_documents_keep_to_spectrals_recommended_rules() -> None:
    """Without findings of any level."""
    done = node("spectral", "lint", "--fail-severity=hint", *DOCUMENTS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("document", DOCUMENTS, ids=SERVICES)
def test_a_python_client_is_complete(document: str, tmp_path: Path) -> None:
    """It has every operation: the generator gives no warning."""
    done = generated(document, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def generated(document: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Generate a client into a folder, as a package such as `intake_client`."""
    place = folder / f"{Path(document).stem.replace('-', '_')}_client"
    what = ("--path", document, "--meta", "none", "--output-path", str(place))
    return ran(["openapi-python-client", "generate", "--fail-on-warning", *what], folder)


@pytest.mark.usefixtures("tools")
async def test_a_generated_python_client_sends_and_reads(
    intake: Intake, fresh: FreshDatabase, tmp_path: Path
) -> None:
    """A ticket, its receipt and a problem have the types of the document."""
    assert generated(DOCUMENTS[0], tmp_path).returncode == 0
    python = TOOLS / ".venv" / "bin" / "python"
    results = await sent(intake, fresh, [python, HERE / "send.py"], tmp_path)
    check(results)


@pytest.mark.usefixtures("tools")
async def test_a_generated_typescript_client_sends_and_reads(
    intake: Intake, fresh: FreshDatabase, tmp_path: Path
) -> None:
    """The same, type-checked in strict mode before it runs."""
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    program = tmp_path / "send.ts"
    program.write_text((HERE / "send.ts").read_text())
    made = node("openapi-typescript", DOCUMENTS[0], "-o", str(tmp_path / "intake.d.ts"))
    assert made.returncode == 0, made.stdout + made.stderr
    typed = node("tsc", *STRICT, *MODULES, str(program), folder=tmp_path)
    assert typed.returncode == 0, typed.stdout
    check(await sent(intake, fresh, ["node", program], tmp_path))


async def sent(
    intake: Intake, fresh: FreshDatabase, command: Sequence[Path | str], folder: Path
) -> Any:  # noqa: ANN401 - JSON is any
    """Run a client against a running intake; return what it prints."""
    async with serving(intake, fresh) as client:
        key = client.headers["authorization"].removeprefix("Bearer ")
        address = str(client.base_url).rstrip("/")
        words = [*command, address, key, json.dumps(REQUEST)]
        done = await asyncio.to_thread(ran, words, folder, PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def check(results: dict[str, Any]) -> None:
    """Compare what a client prints with intake's responses."""
    status, receipt = results["taken"]
    assert (status, receipt["outcome"]) == (202, "accepted")
    assert [promise["promise_class"] for promise in receipt["promises"]] == ["guarantee"]
    assert results["read"] == [200, receipt]
    status, problem = results["unsigned"]
    assert (status, problem["title"]) == (404, "Not Found")
