"""`make release` in a small workspace under git: what it changes, and what it refuses."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DATE = "2026-12-01"
CHANGELOG = """\
# Changelog

## Unreleased

- Tickets can be merged.

## 0.1.0 - 2026-11-01

- The first one.
"""
PACKAGE = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.12"

[build-system]
requires = ["uv_build>=0.9,<1"]
build-backend = "uv_build"
"""
WORKSPACE = """\
[project]
name = "premium-support"
version = "0.1.0"
requires-python = ">=3.12"

[tool.uv]
package = false

[tool.uv.workspace]
members = ["services/*", "shared"]
"""
ENVIRONMENT = {
    **{name: text for name, text in os.environ.items() if not name.startswith("GIT_")},
    **{f"GIT_{role}_NAME": "maintainer" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "maintainer@example.com" for role in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "UV_OFFLINE": "1",
    "UV_PYTHON": sys.executable,
}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a workspace of two packages, whose documents name the version as ours do."""
    origin = tmp_path_factory.mktemp("release") / "origin"
    for folder, name in (("services/intake", "intake"), ("shared", "shared")):
        _write(origin / folder / "pyproject.toml", PACKAGE.format(name=name))
        _write(origin / folder / "src" / name / "__init__.py", "")
    _write(origin / "pyproject.toml", WORKSPACE)
    _write(origin / "CHANGELOG.md", CHANGELOG)
    _write(origin / "Makefile", "docs:\n\tgrep -h ^version pyproject.toml >docs.txt\n")
    _write(origin / "docs.txt", 'version = "0.1.0"\n')
    _write(origin / ".gitignore", "dist/\n.venv/\n")
    _run(origin, "uv", "lock", "--quiet")
    _run(origin, "git", "init", "--quiet", "--initial-branch", "main")
    _run(origin, "git", "add", ".")
    _run(origin, "git", "commit", "--quiet", "--message", "tests: begin")
    return origin


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """Clone the workspace."""
    return _clone(origin, tmp_path)


@pytest.fixture(scope="module")
def released(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Release 0.2.0 in a clone; what the command prints is in dist/printed."""
    clone = _clone(origin, tmp_path_factory.mktemp("released"))
    printed = _release(clone, "0.2.0").stdout
    _write(clone / "dist" / "printed", printed)
    return clone


def test_a_release_has_one_version_everywhere(released: Path) -> None:
    """Every package, the lock, the wheels and the generated documents have the new version."""
    projects = [released / place / "pyproject.toml" for place in (".", "services/intake", "shared")]
    versions = {tomllib.loads(path.read_text())["project"]["version"] for path in projects}
    locked = tomllib.loads((released / "uv.lock").read_text())["package"]
    assert versions == {package["version"] for package in locked} == {"0.2.0"}
    wheels = sorted(path.name for path in (released / "dist").glob("*.whl"))
    assert wheels == ["intake-0.2.0-py3-none-any.whl", "shared-0.2.0-py3-none-any.whl"]
    assert (released / "docs.txt").read_text() == 'version = "0.2.0"\n'


def test_a_release_dates_what_was_unreleased(released: Path) -> None:
    """The entries move under the version and its date; an empty section stays for the next."""
    changelog = (released / "CHANGELOG.md").read_text()
    dated = f"## Unreleased\n\n## 0.2.0 - {DATE}\n\n- Tickets"
    assert changelog == CHANGELOG.replace("## Unreleased\n\n- Tickets", dated)


def test_a_release_is_one_commit_with_a_tag(released: Path) -> None:
    """The tag names the commit with the new versions, and nothing is left over."""
    assert (
        _run(released, "git", "log", "-1", "--format=%s", "v0.2.0^{commit}") == "release: 0.2.0\n"
    )
    assert _run(released, "git", "show", "v0.2.0:docs.txt") == 'version = "0.2.0"\n'
    assert _run(released, "git", "status", "--porcelain") == ""


def test_a_release_pushes_nothing(origin: Path, released: Path) -> None:
    """The origin stays as it was; the command says what to push, images included."""
    assert "v0.2.0" not in _run(origin, "git", "tag")
    assert _run(origin, "git", "log", "-1", "--format=%s") == "tests: begin\n"
    printed = (released / "dist" / "printed").read_text()
    assert "git push origin HEAD v0.2.0" in printed
    assert "premium-support/intake:0.2.0" in printed


def test_a_first_release_may_keep_the_version(clone: Path) -> None:
    """The version in pyproject.toml can be released as long as it has no tag."""
    _release(clone, "0.1.0")
    refused = _release(clone, "0.1.0", code=1)
    assert refused.stderr == "release: the tag v0.1.0 exists: choose a newer version\n"


def test_a_release_needs_a_clean_tree(clone: Path) -> None:
    """A file that is not committed is refused, so that the tag holds what was built."""
    (clone / "notes.txt").write_text("to do")
    assert "the working tree has changes" in _release(clone, "0.2.0", code=1).stderr


def test_an_older_version_is_refused(clone: Path) -> None:
    """Versions are compared by number, and only grow."""
    refused = _release(clone, "0.0.10", code=1)
    assert "0.0.10 is older than 0.1.0" in refused.stderr


@pytest.mark.parametrize("version", ["", "v0.2.0", "0.2", "0.2.0rc1", "0.02.0"])
def test_a_version_is_three_numbers(tmp_path: Path, version: str) -> None:
    """Anything else is answered with how to call the command."""
    assert _release(tmp_path, version, code=2).stderr.startswith("usage: make release VERSION=")


@pytest.mark.parametrize(
    ("changelog", "fault"),
    [
        (CHANGELOG.replace("## Unreleased", "## Soon"), "no section '## Unreleased'"),
        (CHANGELOG.replace("- Tickets can be merged.\n", ""), "'## Unreleased' in CHANGELOG.md is"),
    ],
)
def test_a_release_has_something_to_say(clone: Path, changelog: str, fault: str) -> None:
    """Without entries in the changelog there is no release, and nothing is changed."""
    (clone / "CHANGELOG.md").write_text(changelog)
    _run(clone, "git", "commit", "--quiet", "--all", "--message", "docs: spoil the changelog")
    assert fault in _release(clone, "0.2.0", code=1).stderr
    assert _run(clone, "git", "status", "--porcelain") == ""


def test_a_failure_half_way_leaves_no_commit(clone: Path) -> None:
    """What was changed stays uncommitted and untagged, and the message says how to undo it."""
    (clone / "Makefile").write_text("docs:\n\tfalse\n")
    _run(clone, "git", "commit", "--quiet", "--all", "--message", "docs: fail")
    assert (
        "`make docs` failed (see above): `git restore .`" in _release(clone, "0.2.0", code=1).stderr
    )
    assert _run(clone, "git", "tag") == ""
    assert _run(clone, "git", "log", "-1", "--format=%s") == "docs: fail\n"


def _clone(origin: Path, folder: Path) -> Path:
    _run(folder, "git", "clone", "--quiet", str(origin), "clone")
    return folder / "clone"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _run(folder: Path, *command: str) -> str:
    ran = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    return ran.stdout


def _release(folder: Path, version: str, *, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command as make does, and expect this exit code."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "release.py"), version, DATE],
        cwd=folder,
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == code, ran.stderr
    return ran
