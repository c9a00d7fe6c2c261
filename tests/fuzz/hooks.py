"""Hooks for what schemathesis cannot derive from OpenAPI: keys, headers and signatures."""

import os
import time
from hashlib import sha256
from typing import Any, override
from uuid import uuid4

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from intake.webhooks import standard

__all__ = ["Signer", "before_call"]

_KEY = "idempotency-key"
_SIGNED = "/v1/webhooks/signed/{connection}"


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:  # noqa: ANN401 - schemathesis's own
    """Set idempotency keys, CloudEvent headers, and known senders of webhooks."""
    if case.meta is None or case.meta.generation.mode.name != "POSITIVE":
        return
    for name in [name for name in case.headers or () if name.lower() == _KEY]:
        case.headers[name] = sha256(repr((case.path, case.body)).encode()).hexdigest()
    if case.path == "/v1/cloudevents" and case.media_type == "application/json":
        named = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "x"}
        case.headers.update(named)
    if case.path == _SIGNED:
        case.path_parameters["connection"] = os.environ["PREMIUM_CONNECTION"]


class Signer(AuthBase):
    """Signs each request's final body."""

    @override
    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        key = standard.key_of(os.environ["PREMIUM_WEBHOOK_SECRET"]) or b""
        sent = r.body.encode() if isinstance(r.body, str) else r.body
        sent = sent if isinstance(sent, bytes) else b""
        name, at = f"msg_{uuid4().hex}", str(int(time.time()))  # noqa: TID251 - as senders do
        r.headers.update({"webhook-id": name, "webhook-timestamp": at})
        r.headers["webhook-signature"] = standard.sign(key, name, at, sent)
        return r


schemathesis.auth.set_from_requests(Signer()).apply_to(path=_SIGNED)  # type: ignore[attr-defined]
