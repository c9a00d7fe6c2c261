"""The settings of router."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AnyHttpUrl, BeforeValidator, Field, SecretStr, WithJsonSchema
from pydantic_settings import NoDecode, SettingsConfigDict

from router.domain.matching import MatchingRules, default_rules
from shared.web.settings import WebSettings

__all__ = ["Settings"]


def _read(rules: object) -> object:
    """Load the YAML file that ``rules`` names; a failure becomes a one-line error."""
    if not isinstance(rules, str):
        return rules
    try:
        return yaml.safe_load(Path(rules).read_text("utf-8"))
    except (OSError, yaml.YAMLError) as e:
        raise ValueError(" ".join(f"{rules} cannot be read: {e}".split())) from e


class Settings(WebSettings):
    """The settings of router, in addition to those of every service with pages."""

    model_config = SettingsConfigDict(env_prefix="ROUTER_")

    rules: Annotated[
        MatchingRules,
        NoDecode,
        BeforeValidator(_read),
        WithJsonSchema({"type": "string", "format": "path"}),
    ] = Field(default_factory=default_rules)
    """A YAML file with the matching rules (docs/matching.md); without it, the default rules."""
    intake_url: AnyHttpUrl | None = None
    """URL of intake's HTTP API. With URL and key, the inbox shows what customers wrote."""
    intake_key: SecretStr | None = None
    """An API key of intake with the scope `details:read`."""
