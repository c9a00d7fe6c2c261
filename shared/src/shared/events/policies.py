"""Policies, one record each on the compacted topic ``policies.v1``, written by the operator."""

from typing import Any, ClassVar, Self, override

from pydantic import field_serializer, model_validator

from shared.events.base import Event
from shared.sla.policies import Policy

__all__ = ["PolicyPublished"]


class PolicyPublished(Event):
    """From here on requests are priced by this policy. It is read whole, or refused."""

    topic: ClassVar[str] = "policies.v1"
    type: ClassVar[str] = "premium.policy.published.v1"

    policy_id: str
    version: str
    document: Policy

    @property
    @override
    def subject(self) -> str:
        """The policy."""
        return self.policy_id

    @field_serializer("document")
    def _as_written(self, document: Policy) -> dict[str, Any]:
        """Write the very text that the version is a hash of."""
        return document.document

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        if (self.policy_id, self.version) != (self.document.policy_id, self.document.version):
            raise ValueError("policy_id and version are not those of the document")
        return self
