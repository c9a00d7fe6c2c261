"""Idempotency keys: a request that is sent again takes effect once and gets the same answer.

Every request that changes something comes this way: HTTP endpoints and pages read the key from the
header `Idempotency-Key` (IETF draft), webhooks take the sender's id of the delivery. What is kept
for 7 days is the outcome, as data; the response is rendered from it after the transaction, for the
first request as for a repeated one.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from pydantic_core import from_json
from starlette.requests import Request

from shared.basics.clock import elapsed_s, wait_at_most
from shared.platform.postgres import Database, Tx

__all__ = [
    "HEADER",
    "PATTERN",
    "RETENTION",
    "IdempotencyKey",
    "InProgress",
    "KeyConflict",
    "OtherRequest",
    "OutcomeType",
    "claim",
    "fingerprint",
    "handle_once",
    "key_in",
    "make_key",
    "prune",
    "run_once",
    "wait_for_first",
]

HEADER: Final = "Idempotency-Key"
PATTERN: Final = r'^("(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255}"|[\x21\x23-\x7e]{1,255})$'
"""By the IETF draft a String of structured fields (RFC 9651); many clients omit the quotes."""
RETENTION: Final = timedelta(days=7)
_ESCAPED: Final = re.compile(r"\\(.)")
_SEVERAL: Final = "was sent more than once; send one"
_MALFORMED: Final = "is not 1 to 255 visible ASCII characters; send such a key, quoted or not"
_WAIT_S_MAX: Final = 2.0
_POLL_S: Final = 0.05

# A lock and a read in one statement: what another transaction commits between its snapshot and the
# lock stays unseen. `KEEP` then inserts fewer rows than it was given.
CLAIM: Final = """
    WITH wanted AS MATERIALIZED (
        SELECT digest, pg_try_advisory_xact_lock(hashtextextended('key/' || digest, 0)) AS locked
        FROM unnest($1::text[]) AS digest
    )
    SELECT digest, locked, fingerprint, outcome FROM wanted LEFT JOIN idempotency_key USING (digest)
"""
KEEP: Final = """
    INSERT INTO idempotency_key (digest, fingerprint, outcome)
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[]) ON CONFLICT DO NOTHING
"""
PRUNE: Final = """
    DELETE FROM idempotency_key WHERE digest IN (
        SELECT digest FROM idempotency_key WHERE kept_at < now() - $1::interval LIMIT $2
    )
"""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The digest of a key, and that of the request that it came with."""

    digest: str
    fingerprint: bytes


class KeyConflict(Exception):  # noqa: N818 - an answer to the sender, not a fault
    """A key gets no outcome; ``status`` and the text answer its sender."""

    status: HTTPStatus


class InProgress(KeyConflict):
    """The first request with this key is still in progress."""

    status = HTTPStatus.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "the first request with this Idempotency-Key is still in progress; send it again later"
        )


class OtherRequest(KeyConflict):
    """The key was used for a request with another content."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key was used with another body; send a new key, or the first body"
        )


class Keyed(Protocol):
    """A request that may have a key."""

    @property
    def key(self) -> IdempotencyKey | None:
        """Its key, if it has one."""


class OutcomeType[O](NamedTuple):
    """How outcomes are kept, and which: a request without effect does not use its key."""

    adapter: TypeAdapter[O]
    has_effect: Callable[[O], bool] = lambda _: True


class _Kept(NamedTuple):
    """A kept outcome as JSON, and the fingerprint of the request that led to it."""

    fingerprint: bytes
    outcome: str


@dataclass(frozen=True, slots=True)
class _Single:
    key: IdempotencyKey | None


def make_key(key: str, content: bytes, *owner: str) -> IdempotencyKey:
    """Make a key of a sender's text and the fingerprint of the request.

    The text is hashed together with its ``owner``, such as a tenant or a webhook connection: equal
    texts of two owners are two keys, and personal data in a text is not stored.
    """
    return IdempotencyKey(sha256("\0".join((*owner, key)).encode()).hexdigest(), content)


async def key_in(request: Request, *owner: str) -> IdempotencyKey | None:
    """Read the key from a request's header; None if it has none.

    A quoted key is a String of structured fields (RFC 9651): it equals the same key unquoted.

    Raises:
        RequestValidationError: there are several, or it is malformed.
    """
    texts = request.headers.getlist(HEADER)
    if not texts:
        return None
    if len(texts) > 1 or not re.search(PATTERN, texts[0]):
        fault = _SEVERAL if len(texts) > 1 else _MALFORMED
        raise RequestValidationError(
            [{"type": "value_error", "loc": ("header", HEADER), "msg": fault}]
        )
    text = texts[0]
    if text.startswith('"'):
        text = _ESCAPED.sub(r"\1", text[1:-1])
    event = sorted(pair for pair in request.headers.items() if pair[0].startswith("ce-"))
    path = f"{request.method} {request.scope['path']}"
    return make_key(text, fingerprint(path, await request.body(), event), *owner)


def fingerprint(path: str, body: bytes, event: Sequence[tuple[str, str]] = ()) -> bytes:
    """Compute a digest of a request's path and content.

    The layout of JSON does not matter. In binary mode the attributes of a CloudEvent, which are
    headers (``event``), are part of the content.
    """
    with suppress(ValueError):  # what is not JSON counts byte by byte
        body = json.dumps(from_json(body), sort_keys=True).encode()
    return sha256(b"%s\n%r\n%s" % (path.encode(), event, body)).digest()


async def run_once[O](
    db: Database,
    key: IdempotencyKey | None,
    act: Callable[[Tx], Awaitable[O]],
    kept_as: OutcomeType[O],
) -> O:
    """Run an act in one transaction; with a key that was used, return that outcome instead.

    Raises:
        KeyConflict: the key was used for another request, or its first one takes too long.
    """

    async def attempt() -> O | KeyConflict:
        async with db.transaction() as tx:

            async def handle(_: Sequence[_Single]) -> list[O]:
                return [await act(tx)]

            [outcome] = await handle_once(tx, [_Single(key)], handle, kept_as)
        return outcome

    return await wait_for_first(attempt)


async def wait_for_first[O](attempt: Callable[[], Awaitable[O | KeyConflict]]) -> O:
    """Attempt a request, again for up to two seconds while the first with its key is in progress.

    Raises:
        KeyConflict: see `run_once`.
    """
    started_s = elapsed_s()
    while True:
        try:
            outcome = await attempt()
        except InProgress as e:
            outcome = e
        if not isinstance(outcome, KeyConflict):
            return outcome
        if not isinstance(outcome, InProgress) or elapsed_s(started_s) >= _WAIT_S_MAX:
            raise outcome
        await wait_at_most(asyncio.Event().wait(), _POLL_S)


async def handle_once[R: Keyed, O](
    tx: Tx,
    requests: Sequence[R],
    handle: Callable[[Sequence[R]], Awaitable[Sequence[O]]],
    kept_as: OutcomeType[O],
) -> list[O | KeyConflict]:
    """Handle the requests whose keys are new or missing; return an outcome for each, in order.

    Raises:
        InProgress: another transaction has just used one of the keys: attempt each one alone.
    """
    known = await claim(tx, {r.key.digest for r in requests if r.key})
    first: dict[str, int] = {}
    for n, request in enumerate(requests):
        if request.key and request.key.digest not in known:
            first.setdefault(request.key.digest, n)
    new = [n for n, r in enumerate(requests) if r.key is None or first.get(r.key.digest) == n]
    done = dict(zip(new, await handle([requests[n] for n in new]) if new else (), strict=True))
    await _keep(
        tx,
        {
            key: kept_as.adapter.dump_json(done[n]).decode()
            for n in first.values()
            if (key := requests[n].key) and kept_as.has_effect(done[n])
        },
    )

    def outcome_of(n: int, key: IdempotencyKey | None) -> O | KeyConflict:
        if n in done or key is None:
            return done[n]
        if (earlier := first.get(key.digest)) is not None:
            kept = requests[earlier].key
            return done[earlier] if kept == key else OtherRequest()
        match known[key.digest]:
            case None:
                return InProgress()
            case _Kept(content, outcome) if content == key.fingerprint:
                return kept_as.adapter.validate_json(outcome)
            case _:
                return OtherRequest()

    return [outcome_of(n, request.key) for n, request in enumerate(requests)]


async def claim(tx: Tx, digests: Collection[str]) -> dict[str, _Kept | None]:
    """Lock keys until the transaction ends; return those that are used, and their outcomes.

    A key without an outcome is locked by another transaction, whose request is in progress.
    """
    rows = await tx.fetch(CLAIM, sorted(digests)) if digests else ()
    return {
        digest: _Kept(content, outcome) if outcome is not None else None
        for digest, locked, content, outcome in rows
        if outcome is not None or not locked
    }


async def _keep(tx: Tx, outcomes: Mapping[IdempotencyKey, str]) -> None:
    if not outcomes:
        return
    rows = [(key.digest, key.fingerprint, outcome) for key, outcome in outcomes.items()]
    if await tx.execute(KEEP, *zip(*rows, strict=True)) != f"INSERT 0 {len(rows)}":
        raise InProgress


async def prune(tx: Tx, *, limit: int) -> int:
    """Delete outcomes older than RETENTION; return their number."""
    return int((await tx.execute(PRUNE, RETENTION, limit)).removeprefix("DELETE "))
