"""`premium webhooks apply` checks its file before it calls intake."""

from pathlib import Path

from typer.testing import CliRunner

from premium.webhooks import webhooks


def test_a_bad_file_is_refused_with_its_faults(tmp_path: Path) -> None:
    """The command exits with 2 and reports each fault with its place."""
    file = tmp_path / "bad.yaml"
    file.write_text("connections:\n  - name: Hub Spot\n")
    ran = CliRunner().invoke(webhooks, ["apply", str(file)])
    assert ran.exit_code == 2
    assert "bad.yaml:2:5: connections[0]: 'kind' is missing; add it" in ran.stderr.splitlines()
    assert "bad.yaml:2:5: connections[0].name: 'Hub Spot' is no name" in ran.stderr
