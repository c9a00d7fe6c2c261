"""Commands publish to the deployment of the profile, on a real Kafka and PostgreSQL."""

import asyncio
from pathlib import Path

import yaml
from tests.integration.premium.conftest import Deployment

from premium.policy.topic import current
from premium.roster.topic import current as current_roster
from premium.topics import event_of
from router.domain.matching import default_rules
from router.service.routing import RoutingService
from shared.events import PolicyPublished, SpecialistListed
from shared.platform.postgres import Database, now
from shared.sla.policies import default_policy
from shared.testing.builders import a_specialist
from shared.testing.topics import Topics

ROSTER = """
specialists:
  - specialist_id: ann
    name: Ann
    mail: ann@support.example
    languages: [en]
    capacity: {email: 1}
"""


async def with_topics(deployment: Deployment, topics: Topics, topic: str) -> None:
    """Create a topic, and add its prefix and brokers to the profile."""
    await topics.create(topic)
    kafka = f'[kafka]\nbootstrap = "{topics.bootstrap}"\ntopic_prefix = "{topics.prefix}"\n'
    deployment.profile.write_text(kafka + deployment.profile.read_text())


async def test_a_policy_goes_to_the_topics_of_the_profile(
    topics: Topics, deployment: Deployment, tmp_path: Path
) -> None:
    """The profile's prefix applies to the topics; the time is intake's, over HTTP."""
    await with_topics(deployment, topics, PolicyPublished.topic)
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump({**default_policy().document, "policy_id": "staging"}))
    for before in (default_policy().policy_id, "staging"):
        output = await deployment.premium("policy", "apply", str(policy))
        assert f"after policy {before}" in output
    assert (await current(topics.bootstrap, topics.prefix)).policy_id == "staging"


async def test_a_roster_import_ends_when_router_has_read_it(
    topics: Topics, deployment: Deployment, tmp_path: Path
) -> None:
    """So the next command finds the specialist: a link is made at once."""
    await with_topics(deployment, topics, SpecialistListed.topic)
    file = tmp_path / "roster.yaml"
    file.write_text(ROSTER)
    importing = asyncio.create_task(deployment.premium("roster", "import", str(file)))
    while not await current_roster(topics.bootstrap, topics.prefix):
        assert not importing.done()
    [raw] = await topics.wait_for(SpecialistListed.topic, 1)
    published = event_of(raw, SpecialistListed.topic)
    assert published is not None
    db = Database(deployment.databases["router"].dsn, service="router", connections_max=1)
    await db.start()
    for event in (a_specialist("ann"), published):  # an older record, then the one to wait for
        assert not importing.done()
        async with db.transaction() as tx:
            await RoutingService(default_rules()).apply_events(tx, [event], await now(tx))
    await db.stop()
    assert "1 changed" in await importing
    assert "/sign-in/link/" in await deployment.premium("inbox", "link", "ann")


async def test_a_roster_is_not_published_while_router_is_unreachable(
    topics: Topics, deployment: Deployment, tmp_path: Path
) -> None:
    """The error names router; the next import publishes."""
    await with_topics(deployment, topics, SpecialistListed.topic)
    file = tmp_path / "roster.yaml"
    file.write_text(ROSTER)
    (tmp_path / "router-admin-key").write_text("pk_unknown")
    assert (await deployment.refused("roster", "import", str(file))).startswith("router: ")
    assert await current_roster(topics.bootstrap, topics.prefix) == {}
