"""`premium webhooks` works over HTTP."""

from pathlib import Path
from typing import Final

from tests.integration.premium.conftest import Deployment

HELPDESK: Final = Path(__file__).parents[3] / "docs" / "examples" / "webhooks-helpdesk.yaml"
SHOWN: Final = "/v1/webhooks/signed/helpdesk (secrets next)"


async def test_only_connections_that_differ_are_saved(
    deployment: Deployment, tmp_path: Path
) -> None:
    """A dry run lists the changes and saves nothing; a removed connection is gone."""
    other = tmp_path / "next.yaml"
    other.write_text(HELPDESK.read_text().replace("helpdesk-2026", "next"))
    webhooks = ("webhooks", "apply", str(other))
    new = await deployment.premium("webhooks", "apply", str(HELPDESK))
    assert new.splitlines()[-1] == "1 changed, 0 unchanged"
    for _ in range(2):
        dry = await deployment.premium(*webhooks, "--dry-run")
        assert dry.splitlines() == [f"~ {SHOWN}: secrets", "1 would change, 0 unchanged"]
    changed = await deployment.premium(*webhooks)
    assert changed.splitlines() == [f"~ {SHOWN}: secrets", "1 changed, 0 unchanged"]
    assert await deployment.premium(*webhooks) == "0 changed, 1 unchanged\n"
    assert f"{SHOWN}, source" in await deployment.premium("webhooks", "list")
    await deployment.premium("webhooks", "remove", "helpdesk")
    assert await deployment.premium("webhooks", "list") == ""
    error = await deployment.refused("webhooks", "remove", "helpdesk")
    assert "premium webhooks list" in error
