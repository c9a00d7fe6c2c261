"""Policies: one record per policy on the compacted topic ``policies.v1``, by the operator."""

from typing import Any, ClassVar, Self, override

from pydantic import field_serializer, model_validator

from shared.events.base import Event
from shared.sla.policies import Policy

__all__ = ["PolicyPublished"]


class PolicyPublished(Event):
    """A new policy; it determines the promises of requests from now on."""

    topic: ClassVar[str] = "policies.v1"
    type: ClassVar[str] = "premium.policy.published.v1"

    policy_id: str
    version: str
    document: Policy

    @property
    @override
    def subject(self) -> str:
        """The policy's id."""
        return self.policy_id

    @field_serializer("document")
    def _as_written(self, document: Policy) -> dict[str, Any]:
        """Serialise the policy without defaults: the version is the hash of this form."""
        return document.document

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        if (self.policy_id, self.version) != (self.document.policy_id, self.document.version):
            raise ValueError("policy_id and version are not those of the document")
        return self
