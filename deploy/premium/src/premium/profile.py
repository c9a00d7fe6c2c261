"""A profile: a TOML file with the addresses and credentials of a deployment.

The file names Kafka, each service's URL, and the files of API keys for it: one for reading, one for
the admin endpoints. Only `migrate` and `keys first` need the DSN of its database. The local stack
writes its own.
"""

import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from premium.errors import CommandError
from premium.settings import Settings
from shared.platform.api_keys import SCOPES, Keyed
from shared.platform.settings import load

__all__ = [
    "CHECK",
    "PROFILE_NAME",
    "SERVICES",
    "Profile",
    "choose",
    "chosen",
    "read_profile",
    "service_named",
]

SERVICES: Final[tuple[Keyed, ...]] = tuple(SCOPES)
type KeyEntry = Literal["key_file", "admin_key_file"]
PROFILE_NAME: Final = "profile.toml"
"""The file name of the local stack's profile, in the stack's folder."""

CHECK: Final = "see that it runs, and check its entry in the profile"
"""What to do if a server that the profile names does not answer."""
_REMEDY: Final = "run `premium up`, or name a profile by --profile or PREMIUM_PROFILE"
_HEADER: Final = "authorization: Bearer "
"""The start of a key file that `curl -H @FILE` can read as well."""

_chosen: Final[ContextVar[Path | None]] = ContextVar("profile", default=None)


def choose(file: Path | None) -> None:
    """Use this profile from now on; with None, the one of the local stack."""
    _chosen.set(file or _local())


def chosen() -> Path:
    """Return the path of the profile in use, which may not exist."""
    return _chosen.get() or _local()


def _local() -> Path:
    return load(Settings).home / PROFILE_NAME


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Kafka(_Part):
    bootstrap: Annotated[str, Field(pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")]
    topic_prefix: str = ""


class _Service(_Part):
    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    key_file: Path | None = None
    admin_key_file: Path | None = None
    dsn: SecretStr | None = None
    dsn_file: Path | None = None


class _Document(_Part):
    kafka: _Kafka | None = None
    services: dict[Keyed, _Service] = {}


@dataclass(frozen=True)
class Profile:
    """A deployment's profile. A property whose entry is missing raises CommandError."""

    file: Path
    _document: _Document

    @property
    def kafka_bootstrap(self) -> str:
        """The brokers, as host:port,host:port."""
        return self._kafka().bootstrap

    @property
    def topic_prefix(self) -> str:
        """The prefix of all topic names of the deployment."""
        return self._kafka().topic_prefix

    def url(self, service: Keyed) -> str:
        """Return the base URL of a service, without a slash at the end."""
        url = self._service(service).url
        if url is None:
            raise self._missing(f"services.{service}.url")
        return url.rstrip("/")

    def headers(self, service: Keyed, key: KeyEntry = "key_file") -> Mapping[str, str]:
        """Return the HTTP header that carries an API key for a service."""
        entry = f"services.{service}.{key}"
        file: Path | None = getattr(self._service(service), key)
        if file is None:
            raise self._missing(entry)
        return {"authorization": f"Bearer {self._text(file, entry).removeprefix(_HEADER)}"}

    def dsn(self, service: Keyed) -> str:
        """Return the DSN of a service's database, for the role that owns its tables."""
        entry = f"services.{service}.dsn"
        given = self._service(service)
        if given.dsn is not None:
            dsn = given.dsn.get_secret_value()
        elif given.dsn_file is not None:
            entry = f"{entry}_file"
            dsn = self._text(given.dsn_file, entry)
        else:
            raise self._missing(entry)
        if not dsn.startswith(("postgresql://", "postgres://")):
            raise CommandError(
                f"{self.file}: {entry} must give a DSN, as postgresql://ROLE:PASSWORD@HOST/NAME"
            )
        return dsn

    def _kafka(self) -> _Kafka:
        if self._document.kafka is None:
            raise self._missing("kafka.bootstrap")
        return self._document.kafka

    def _service(self, service: Keyed) -> _Service:
        return self._document.services.get(service, _Service())

    def _missing(self, entry: str) -> CommandError:
        return CommandError(f"{self.file} has no entry {entry}: add it, or {_REMEDY}")

    def _text(self, file: Path, entry: str) -> str:
        """Read a file that the profile names, relative to the profile's folder."""
        place = self.file.parent / file.expanduser()
        try:
            text = place.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            fault = e.strerror if isinstance(e, OSError) else "not text"
            raise CommandError(
                f"cannot read {place}: {fault}; make it readable, or correct {entry} in {self.file}"
            ) from None
        if not text or "\n" in text:
            raise CommandError(
                f"{place} must hold one line: correct it, or correct {entry} in {self.file}"
            )
        return text


def service_named(name: str) -> Keyed:
    """Return the service of that name. Raises CommandError if there is none."""
    for service in SERVICES:
        if service == name:
            return service
    raise CommandError(f"no service {name!r}: choose one of {', '.join(SERVICES)}")


def read_profile(file: Path | None = None) -> Profile:
    """Read a profile, by default the one in use.

    Raises:
        CommandError: the file is missing or invalid.
    """
    file = file or chosen()
    try:
        document = _Document.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as e:
        raise CommandError(f"cannot read the profile {file}: {e.strerror}; {_REMEDY}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise CommandError(f"the profile {file} is not TOML: {e}; correct it") from None
    except ValidationError as e:
        fault = e.errors(include_input=False, include_url=False)[0]
        entry = ".".join(map(str, fault["loc"]))
        raise CommandError(f"{file}, entry {entry}: {fault['msg']}; correct it") from None
    return Profile(file, document)
