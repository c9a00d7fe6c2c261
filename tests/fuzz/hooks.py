"""What schemathesis cannot read in the OpenAPI document."""

from hashlib import sha256
from typing import Any

import schemathesis

__all__ = ["before_call"]

_KEY = "idempotency-key"


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:  # noqa: ANN401 - schemathesis's own
    """Give each body a key of its own, and JSON the header that makes it a CloudEvent."""
    if case.meta is None or case.meta.generation.mode.name != "POSITIVE":
        return
    for name in [name for name in case.headers or () if name.lower() == _KEY]:
        case.headers[name] = sha256(repr((case.path, case.body)).encode()).hexdigest()
    if case.path == "/v1/cloudevents" and case.media_type == "application/json":
        case.headers["ce-specversion"] = "1.0"
