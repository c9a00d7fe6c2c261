"""Public holidays of countries and their subdivisions, from the library holidays."""

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.metadata import version

from holidays import HolidayBase, country_holidays
from holidays.registry import COUNTRIES

__all__ = ["holidays_version", "known_region", "public_holidays"]


@cache
def holidays_version() -> str:
    """Return the version of the library holidays: another version may have other dates."""
    return version("holidays")


@lru_cache(maxsize=4096)
def public_holidays(region: str, year: int) -> Mapping[date, str]:
    """Return the public holidays of a region such as DE or DE-BY, in the region's language."""
    country, _, subdivision = region.partition("-")
    found = country_holidays(country, subdiv=subdivision or None, years=year, expand=False)
    return dict(found.items())


@lru_cache(maxsize=4096)
def known_region(region: str) -> str:
    """Return a valid region code. Raises ValueError, with a suggestion, for an unknown one."""
    country, _, subdivision = region.partition("-")
    if country not in _codes().values():
        raise ValueError(f"unknown country '{country}'; {_country_hint(country)}")
    if subdivision and subdivision not in (known := country_holidays(country)).subdivisions:
        hint = _subdivision_hint(known, subdivision)
        raise ValueError(f"unknown subdivision '{subdivision}' of {country}; {hint}")
    return region


@cache
def _codes() -> Mapping[str, str]:
    """Map common spellings of a country (DEU, GERMANY) to its code (DE)."""
    entries = [(module, names[:3]) for module, names in COUNTRIES.items()]
    return {
        spelling.upper(): short
        for module, (name, short, long) in entries
        for spelling in (module.replace("_", " "), name, short, long)
    }


def _country_hint(country: str) -> str:
    near = get_close_matches(country.upper(), _codes(), n=1)
    return f"did you mean '{_codes()[near[0]]}'?" if near else "write a code such as DE or DE-BY"


def _subdivision_hint(known: HolidayBase, subdivision: str) -> str:
    aliases = {code.upper(): code for code in known.subdivisions}
    aliases |= {name.upper(): code for name, code in known.subdivisions_aliases.items()}
    near = get_close_matches(subdivision.upper(), aliases, n=1)
    if near:
        return f"did you mean '{aliases[near[0]]}'?"
    if not aliases:
        return "the country has none; write the country alone"
    return f"it has {', '.join(known.subdivisions)}"
