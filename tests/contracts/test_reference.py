"""The reference pages contain every setting and every metric."""

from pathlib import Path

from prometheus_client import REGISTRY

from docs import metrics
from docs.services import HANDLERS
from docs.settings import SETTINGS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_program_has_its_settings_on_the_page() -> None:
    """Those of the services, and of the operator's command."""
    assert {*SETTINGS} == {*HANDLERS, "premium"}


def test_every_setting_is_on_the_page() -> None:
    """Each field of a settings class, as its environment variable."""
    page = (REFERENCE / "settings.md").read_text()
    variables = [
        f"{settings.model_config.get('env_prefix')}{field}".upper()
        for settings in SETTINGS.values()
        for field in settings.model_fields
    ]
    assert [name for name in variables if f"| `{name}` |" not in page] == []


def test_every_setting_has_a_description() -> None:
    """Each field has a docstring that is a sentence."""
    silent = [
        f"{program} {name}"
        for program, settings in SETTINGS.items()
        for name, field in settings.model_fields.items()
        if not (text := field.description or "").endswith(".") or not text[0].isupper()
    ]
    assert silent == []


def test_every_metric_is_on_the_page() -> None:
    """Each metric of the registry, with its description."""
    page = metrics.page()  # imports all modules
    ours = [family for family in REGISTRY.collect() if family.name.startswith("premium_")]
    assert [family.name for family in ours if f"| `{family.name}" not in page] == []
    assert [family.name for family in ours if not family.documentation] == []
