"""`premium` installed alone works by a profile on a stack that it did not start."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import pytest
from tests.e2e.conftest import Watch
from tests.e2e.test_one_ticket import now, request
from tests.wheels import installed

from devstack.stack import Stack
from lab.demo.content import ROSTER
from premium.profile import SERVICES
from shared.events import TicketAssigned
from shared.sla import policies

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples"
HUBSPOT: Final = "hubspot-tickets"
EXPLAINS: Final = ("router", "sla-monitor")
POLICY: Final = Path(policies.__file__).with_name("default.yaml")
NEWCOMER: Final = "specialist_id,name,mail,languages,email\nnina,Nina,nina@support.example,en,1\n"
RUN_S_MAX: Final = 60

type Premium = Callable[..., str]


@pytest.fixture(scope="module")
def profile(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an operator's profile: addresses, and files with keys, but no DSN."""
    folder = tmp_path_factory.mktemp("operator")
    lines = [f'kafka.bootstrap = "{stack.addresses.kafka_bootstrap}"']
    for service in SERVICES:
        lines += [f"[services.{service}]", f'url = "{stack.addresses.http(service)}"']
        keys = {"admin_key_file": stack.addresses.headers(service, admin=True)}
        if service in EXPLAINS:
            keys["key_file"] = stack.addresses.headers(service)
        for entry, header in keys.items():
            (folder / f"{service}.{entry}").write_text(header["authorization"].split()[1])
            lines.append(f'{entry} = "{service}.{entry}"')
    file = folder / "acceptance.toml"
    file.write_text("\n".join(lines))
    assert "dsn" not in file.read_text()
    return file


@pytest.fixture(scope="module")
def premium(profile: Path, tmp_path_factory: pytest.TempPathFactory) -> Premium:
    """Return the command of an environment with `premium` alone, run in an empty folder.

    The option and the environment name the profile in turn.
    """
    program = installed("premium", tmp_path_factory.mktemp("wheel")) / "premium"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    others = {k: v for k, v in os.environ.items() if not k.startswith("PREMIUM_")}
    env = {**others, "PYTHONPATH": "", "COLUMNS": "200"}
    named: tuple[tuple[list[str], dict[str, str]], ...] = (
        ([], {"PREMIUM_PROFILE": str(profile)}),
        (["--profile", str(profile)], {}),
    )
    runs: list[str] = []

    def run(*arguments: str, given: str = "") -> str:
        options, extra = named[len(runs) % 2]
        ran = subprocess.run(
            [program, *options, *arguments],
            cwd=elsewhere,
            env={**env, **extra},
            input=given,
            capture_output=True,
            text=True,
            timeout=RUN_S_MAX,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert not any(elsewhere.iterdir())
        runs.append(ran.stdout)
        return ran.stdout

    return run


def test_lists_are_published_and_read_back(premium: Premium, tmp_path: Path) -> None:
    """Intake replies about accounts; importing the same again changes nothing."""
    file = tmp_path / "accounts.csv"
    file.write_text(
        "account_id,since,super_admins,seats\noperated,2026-01-01T00:00:00Z,ada,everyone\n"
    )
    assert "operated: listed" in premium("accounts", "import", str(file))
    assert "0 changed" in premium("accounts", "import", str(file))
    assert "0 changed" in premium("roster", "import", str(ROSTER))
    assert "policy" in premium("policy", "lint")
    assert "is in force" in premium("policy", "apply", str(POLICY))


def test_a_specialist_can_sign_in_right_after_the_import(premium: Premium, tmp_path: Path) -> None:
    """The import ends when router has read the roster, so the link is made at once."""
    file = tmp_path / "roster.csv"
    file.write_text(NEWCOMER)
    assert "1 changed" in premium("roster", "import", str(file))
    assert "/sign-in/link/" in premium("inbox", "link", "nina")


@pytest.mark.parametrize(
    ("service", "scope"),
    [
        ("intake", "tickets:write"),
        ("router", "desk:act"),
        ("sla-monitor", "clocks:read"),
        ("notifier", "admin"),
    ],
)
def test_keys_are_made_replaced_and_revoked(premium: Premium, service: str, scope: str) -> None:
    """This works for each service with an API."""
    where = ("--service", service)
    first = premium("keys", "create", "operator", "profile", "--scope", scope, *where).strip()
    second = premium("keys", "rotate", "operator", "profile", *where).strip()
    for key in (first, second):
        prefix = key.removeprefix("pk_")[:8]
        premium("keys", "revoke", prefix, *where)
        assert f"{prefix}  operator profile: revoked" in premium("keys", "list", *where)


def test_webhooks_are_applied_and_removed(premium: Premium) -> None:
    """Intake keeps them."""
    premium("webhooks", "apply", str(EXAMPLES / "webhooks-hubspot.yaml"))
    assert HUBSPOT in premium("webhooks", "list")
    premium("webhooks", "remove", HUBSPOT)
    assert HUBSPOT not in premium("webhooks", "list")


async def test_a_ticket_is_explained(
    premium: Premium, stack: Stack, http: httpx.AsyncClient, watch: Watch
) -> None:
    """The command uses the URLs and keys of sla-monitor and router."""
    form = request(await now(stack))
    answer = await http.post(f"{stack.addresses.http('intake')}/v1/tickets", json=form)
    ticket_id = UUID(answer.json()["ticket_id"])
    facts = await watch.until(ticket_id, TicketAssigned)
    [name] = [f.event.specialist_id for f in facts if isinstance(f.event, TicketAssigned)]
    explained = premium("explain", str(ticket_id))
    assert "Who has it, and why" in explained
    assert name in explained
    link = premium("inbox", "link", name).strip()
    assert link.startswith(stack.addresses.http("router"))
    assert (await http.post(link)).status_code < httpx.codes.BAD_REQUEST
    assert "silence holds" in premium("watch", "breaches", "--once", "30")


async def test_a_record_is_sent_and_read(premium: Premium, stack: Stack) -> None:
    """The commands use the profile's brokers; the services count their dead letters."""
    form = request(await now(stack))
    key = f"{form['source']}/{form['external_id']}"
    premium("produce", "inbound.v1", key, given=json.dumps(form))
    [receipt] = _lines(premium("consume", "receipts.v1", key))
    assert json.loads(receipt)["external_id"] == form["external_id"]
    for service in SERVICES:
        assert "dead letters found" in premium("redrive", service, "--list")


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()
