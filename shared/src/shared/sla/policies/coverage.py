"""Which requests a list of rules covers, over all combinations of attribute values.

A set of combinations is an integer with one bit per combination. The set of a rule is the product
of its values per attribute, which is fast even for a policy with many values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, get_args

from shared.sla.policies.parts import RequestMatch
from shared.sla.promises import Channel, Role, Severity

__all__ = ["Coverage"]

_CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "role": get_args(Role.__value__),
    "channel": get_args(Channel.__value__),
    "severity": get_args(Severity.__value__),
}
_OPEN: Final = ("language", "tier", "region")


@dataclass(frozen=True)
class Coverage:
    """What each of some rules, in order, covers. None stands for all values that no rule names."""

    matches: Sequence[RequestMatch]

    @cached_property
    def values(self) -> dict[str, tuple[str | None, ...]]:
        """The values to distinguish, by attribute."""
        mentioned = {
            attribute: {value for m in self.matches for value in getattr(m, attribute) or ()}
            for attribute in _OPEN
        }
        return {**_CLOSED, **{name: (*sorted(found), None) for name, found in mentioned.items()}}

    @cached_property
    def taken(self) -> list[int]:
        """For each rule the set of combinations that it matches and no earlier rule does."""
        left = (1 << self._width) - 1
        found = []
        for match in self.matches:
            found.append(self._set_of(match) & left)
            left &= ~found[-1]
        return found

    def covering(self, index: int) -> list[int]:
        """Return the indexes of earlier rules that take requests which rule ``index`` matches."""
        own = self._set_of(self.matches[index])
        return [earlier for earlier in range(index) if self.taken[earlier] & own]

    def uncovered(self) -> dict[str, str | None] | None:
        """Return the first combination that no rule covers; None if all are covered."""
        left = (1 << self._width) - 1
        for taken in self.taken:
            left &= ~taken
        return self._combination((left & -left).bit_length() - 1) if left else None

    @cached_property
    def _width(self) -> int:
        width = 1
        for values in self.values.values():
            width *= len(values)
        return width

    def _set_of(self, match: RequestMatch) -> int:
        found, width = 1, 1
        for attribute, values in self.values.items():
            taken = [i for i, value in enumerate(values) if match.takes(attribute, value)]
            found = sum(found << (i * width) for i in taken)
            width *= len(values)
        return found

    def _combination(self, bit: int) -> dict[str, str | None]:
        found = {}
        for attribute, values in self.values.items():
            bit, i = divmod(bit, len(values))
            found[attribute] = values[i]
        return found
