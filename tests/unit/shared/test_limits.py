"""What a door bears: bodies so large, so deep and so slow, so many requests at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from shared.events.codec import DEPTH_MAX, VALUE_BYTES_MAX
from shared.platform.limits import BodyLimits, ConcurrencyLimit, Limits

type Receiver = Callable[[], Awaitable[Message]]


class Inner:
    """An app that keeps what it was sent, and answers when it may."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.begun = asyncio.Event()
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Read one message, and answer."""
        self.bodies.append((await receive())["body"])
        self.begun.set()
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Answer:
    """What came back."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        """Take a message of the answer."""
        self.messages.append(message)

    @property
    def status(self) -> int:
        """The status."""
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers."""
        return dict(self.messages[0]["headers"])

    @property
    def problem(self) -> Any:  # noqa: ANN401 - JSON is any
        """The problem document."""
        return json.loads(self.messages[1]["body"])


def scope(path: str = "/v1/tickets", **headers: str) -> Scope:
    """Describe a request."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": path, "headers": named}


def sending(parts: Sequence[bytes]) -> Receiver:
    """Send a body in parts, each when it is asked for; after the last, go."""
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, start=1)
    ]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive


async def test_a_body_in_parts_is_handed_on_whole() -> None:
    """However it came, up to the limit."""
    inner, answer = Inner(), Answer()
    half = b"x" * (VALUE_BYTES_MAX // 2)
    await BodyLimits(inner)(scope(), sending([half, half]), answer)
    assert answer.status == 200
    assert inner.bodies == [half * 2]


async def test_a_body_that_announces_too_much_is_not_read() -> None:
    """The answer closes the connection: what would follow is of no interest."""
    inner, answer = Inner(), Answer()
    await BodyLimits(inner)(scope(content_length=str(VALUE_BYTES_MAX + 1)), never, answer)
    assert answer.status == 413
    assert answer.headers[b"connection"] == b"close"
    assert answer.problem["detail"].startswith("a body has at most 256 KiB")
    assert inner.bodies == []


async def test_a_body_of_unknown_length_is_cut_off() -> None:
    """No part is asked for after the one that goes over the limit."""
    inner, answer = Inner(), Answer()
    receive = sending([b"x" * VALUE_BYTES_MAX, b"x", b"left over"])
    await BodyLimits(inner)(scope(transfer_encoding="chunked"), receive, answer)
    assert answer.status == 413
    assert (await receive())["body"] == b"left over"
    assert inner.bodies == []


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    """Whoever sends a byte now and then holds no place for long."""
    inner, answer = Inner(), Answer()
    first = sending([b"{", b""])
    parts = [first]

    async def receive() -> Message:
        return await (parts.pop()() if parts else never())

    await BodyLimits(inner, wait_s_max=0.01)(scope(content_length="10"), receive, answer)
    assert answer.status == 408
    assert answer.headers[b"connection"] == b"close"
    assert inner.bodies == []


async def test_a_client_that_has_gone_gets_no_answer() -> None:
    """Half a body is no request."""
    inner, answer = Inner(), Answer()
    receive = sending([b"{", b""])
    await receive()
    await receive()
    await BodyLimits(inner)(scope(), receive, answer)
    assert (inner.bodies, answer.messages) == ([], [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_deep_body_is_refused_before_it_is_parsed(encoding: str) -> None:
    """Whatever it is written in."""
    inner, answer = Inner(), Answer()
    deep = ("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)).encode(encoding)
    await BodyLimits(inner)(scope(), sending([deep]), answer)
    assert answer.status == 400
    assert inner.bodies == []


async def test_many_brackets_are_not_depth() -> None:
    """Neither side by side nor in a text."""
    inner, answer = Inner(), Answer()
    body = json.dumps({"wide": [[]] * 1000, "text": "[" * 1000}).encode()
    await BodyLimits(inner)(scope(), sending([body]), answer)
    assert answer.status == 200
    assert inner.bodies == [body]


async def test_more_requests_than_can_be_in_hand_are_refused_at_once() -> None:
    """They hear when to come again; health is told all the same; a free place is given."""
    inner = Inner()
    inner.may.clear()
    door = ConcurrencyLimit(inner, Limits(requests_max=1))
    async with asyncio.TaskGroup() as group:
        first = Answer()
        group.create_task(door(scope(), sending([b""]), first))
        await inner.begun.wait()
        second, health = Answer(), Answer()
        await door(scope(), sending([b""]), second)
        assert (second.status, second.headers[b"retry-after"]) == (503, b"1")
        inner.may.set()
        await door(scope("/health"), sending([b""]), health)
    third = Answer()
    await door(scope(), sending([b""]), third)
    assert [first.status, health.status, third.status] == [200] * 3


async def never() -> Message:
    """Send nothing, and do not go either."""
    await asyncio.Event().wait()
    raise AssertionError
