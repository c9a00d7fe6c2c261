"""What router is told by its environment."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AnyHttpUrl, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from router.domain.matching import Rules, default_rules
from shared.web.settings import WebSettings

__all__ = ["Settings"]


def _read(rules: object) -> object:
    """Read the file that is named; what cannot be read is said in one line."""
    if not isinstance(rules, str):
        return rules
    try:
        return yaml.safe_load(Path(rules).read_text("utf-8"))
    except (OSError, yaml.YAMLError) as e:
        raise ValueError(" ".join(f"{rules} cannot be read: {e}".split())) from e


class Settings(WebSettings):
    """The settings of every service with pages, under ROUTER_.

    ``rules`` names a file (docs/matching.md). ``intake_url`` and ``intake_key`` (scope
    details:read) let the inbox show what customers wrote.
    """

    model_config = SettingsConfigDict(env_prefix="ROUTER_")

    rules: Annotated[Rules, NoDecode, BeforeValidator(_read)] = Field(default_factory=default_rules)
    intake_url: AnyHttpUrl | None = None
    intake_key: SecretStr | None = None
