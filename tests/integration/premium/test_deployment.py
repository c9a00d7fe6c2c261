"""Commands publish to the deployment of the profile, on a real Kafka and PostgreSQL."""

import asyncio
from pathlib import Path

import yaml
from typer.testing import CliRunner

from premium.cli import app
from premium.policy.topic import current
from shared.events import PolicyPublished
from shared.sla.policies import default_policy
from shared.testing.databases import MakeDatabase
from shared.testing.topics import Topics


async def test_a_policy_goes_to_the_topics_of_the_profile(
    topics: Topics, database: MakeDatabase, tmp_path: Path
) -> None:
    """The profile's prefix applies to the topics that are read and written."""
    await topics.create(PolicyPublished.topic)
    intake = (await database("intake")).owner_dsn
    profile = tmp_path / "staging.toml"
    profile.write_text(
        f'[kafka]\nbootstrap = "{topics.bootstrap}"\ntopic_prefix = "{topics.prefix}"\n'
        f'[services.intake]\ndsn = "{intake}"\n'
    )
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump({**default_policy().document, "policy_id": "staging"}))
    arguments = ["--profile", str(profile), "policy", "apply", str(policy)]
    for before in (default_policy().policy_id, "staging"):
        ended = await asyncio.to_thread(CliRunner().invoke, app(arguments), arguments)
        assert ended.exit_code == 0, ended.exception
        assert f"after policy {before}" in ended.output
    assert (await current(topics.bootstrap, topics.prefix)).policy_id == "staging"
