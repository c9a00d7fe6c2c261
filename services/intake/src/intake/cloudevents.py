"""CloudEvents 1.0 over HTTP: structured, batched or binary."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from starlette.exceptions import HTTPException

from shared.errors import Poison
from shared.events.codec import read_json

__all__ = ["CLOUDEVENT", "CLOUDEVENTS", "TOGETHER_MAX", "data_of"]

TOGETHER_MAX: Final = 100
_VERSION: Final = "1.0"
CLOUDEVENT: Final = "application/cloudevents+json"
CLOUDEVENTS: Final = "application/cloudevents-batch+json"


async def data_of(request: Request) -> list[Any]:
    """Read the data of CloudEvents 1.0 in structured, batched or binary mode.

    In the place of one of several that is no CloudEvent stands a Poison that says why. Raises
    HTTPException: 400 for a body that is no JSON or no CloudEvent, 415 for another media type.
    """
    try:
        content = read_json(await request.body())
    except Poison as e:
        raise HTTPException(HTTPStatus.BAD_REQUEST, e.detail) from e
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    match media_type, content:
        case "application/cloudevents-batch+json", [*events] if len(events) <= TOGETHER_MAX:
            return [_data(event) for event in events]
        case "application/cloudevents+json", event:
            return [_or_refused(_data(event))]
        case _ if (version := request.headers.get("ce-specversion")) is not None:
            return [_or_refused(_fault(version) or _named(content, request.headers.get("ce-id")))]
        case _:
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"send {CLOUDEVENT}, {CLOUDEVENTS} with up to {TOGETHER_MAX} events, or JSON "
                "with ce-* headers",
            )


def _data(event: Any) -> Any:  # noqa: ANN401 - JSON is any
    if not isinstance(event, dict):
        return Poison("bad_data", "a structured CloudEvent is a JSON object; send one")
    return _fault(event.get("specversion")) or _named(event.get("data"), event.get("id"))


def _fault(version: Any) -> Poison | None:  # noqa: ANN401 - JSON is any
    """Say what is wrong with a specversion, which others than 1.0 may read otherwise."""
    if version == _VERSION:
        return None
    return Poison("bad_data", f'specversion: not "{_VERSION}"; send CloudEvents {_VERSION}')


def _or_refused(data: Any) -> Any:  # noqa: ANN401 - JSON is any
    if isinstance(data, Poison):
        raise HTTPException(HTTPStatus.BAD_REQUEST, data.detail)
    return data


def _named(data: Any, event_id: Any) -> Any:  # noqa: ANN401 - JSON is any
    """Let a fact that has no id of its own bear that of its event."""
    if isinstance(data, dict) and "type" in data and isinstance(event_id, str):
        return {"event_id": event_id, **data}
    return data
