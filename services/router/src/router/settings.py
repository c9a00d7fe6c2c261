"""What router is told by its environment."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from router.matching import Rules, default_rules
from shared.settings import ServiceSettings

__all__ = ["Settings"]


def _read(rules: object) -> object:
    """Read the file that is named; what cannot be read is said in one line."""
    if not isinstance(rules, str):
        return rules
    try:
        return yaml.safe_load(Path(rules).read_text("utf-8"))
    except (OSError, yaml.YAMLError) as e:
        raise ValueError(" ".join(f"{rules} cannot be read: {e}".split())) from e


class Settings(ServiceSettings):
    """The settings of every service, under ROUTER_; ``rules`` names a file (docs/matching.md)."""

    model_config = SettingsConfigDict(env_prefix="ROUTER_")

    rules: Annotated[Rules, NoDecode, BeforeValidator(_read)] = Field(default_factory=default_rules)
