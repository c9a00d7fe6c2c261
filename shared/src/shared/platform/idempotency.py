"""Idempotency keys: a request that is sent again takes effect once and gets the same answer.

Every request that changes something comes this way: HTTP endpoints and pages read the key from the
header `Idempotency-Key` (IETF draft), webhooks take the sender's id of the delivery. What is kept
for 7 days is the outcome, as data; the response is rendered from it after the transaction, for the
first request as for a repeated one.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
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
    "SingleRequest",
    "claim",
    "fingerprint",
    "handle_once",
    "key_in",
    "make_key",
    "once",
    "prune",
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

CLAIM: Final = """
    SELECT digest, locked, fingerprint, outcome
    FROM unnest($1::text[]) AS digest, claim_idempotency_key(digest)
"""
KEEP: Final = """
    INSERT INTO idempotency_key (digest, fingerprint, outcome)
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[])
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


class SingleRequest[O]:
    """A request in a transaction of its own: set its ``outcome``, unless it ``is_repeated``."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.is_repeated = False
        self.outcome: O


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


@asynccontextmanager
async def once[O](
    db: Database, key: IdempotencyKey | None, kept_as: OutcomeType[O]
) -> AsyncIterator[SingleRequest[O]]:
    """Handle a request in one transaction; with a key that was used, it has that outcome already.

    Raises:
        KeyConflict: the key was used for another request, or its first one takes too long.
    """
    started_s = elapsed_s()
    while True:
        async with db.transaction() as tx:
            request = SingleRequest[O](tx)
            known = await claim(tx, [key.digest] if key else ())
            if key and key.digest in known:
                found = _recall(key, known[key.digest], kept_as)
                if not isinstance(found, KeyConflict):
                    request.is_repeated, request.outcome = True, found
                elif not isinstance(found, InProgress) or _is_late(started_s):
                    raise found
            if key is None or request.is_repeated or key.digest not in known:
                yield request
                if key and not request.is_repeated:
                    await _keep(tx, {key: request.outcome}, kept_as)
                return
        await wait_at_most(asyncio.Event().wait(), _POLL_S)


async def wait_for_first[O](attempt: Callable[[], Awaitable[O | KeyConflict]]) -> O:
    """Attempt a request, again for up to two seconds while the first with its key is in progress.

    Raises:
        KeyConflict: as `once`.
    """
    started_s = elapsed_s()
    while isinstance(outcome := await attempt(), InProgress) and not _is_late(started_s):
        await wait_at_most(asyncio.Event().wait(), _POLL_S)
    if isinstance(outcome, KeyConflict):
        raise outcome
    return outcome


def _is_late(started_s: float) -> bool:
    return elapsed_s(started_s) >= _WAIT_S_MAX


async def handle_once[R: Keyed, O](
    tx: Tx,
    requests: Sequence[R],
    handle: Callable[[Sequence[R]], Awaitable[Sequence[O]]],
    kept_as: OutcomeType[O],
) -> list[O | KeyConflict]:
    """Handle the requests whose keys are new or missing; return an outcome for each, in order."""
    known = await claim(tx, {r.key.digest for r in requests if r.key})
    first: dict[str, int] = {}
    for n, request in enumerate(requests):
        if request.key and request.key.digest not in known:
            first.setdefault(request.key.digest, n)
    new = [n for n, r in enumerate(requests) if r.key is None or first.get(r.key.digest) == n]
    done = dict(zip(new, await handle([requests[n] for n in new]) if new else (), strict=True))
    keys = {n: key for n in first.values() if (key := requests[n].key)}
    await _keep(tx, {key: done[n] for n, key in keys.items()}, kept_as)

    def outcome_of(n: int, key: IdempotencyKey | None) -> O | KeyConflict:
        if n in done or key is None:
            return done[n]
        if (earlier := first.get(key.digest)) is not None:
            return done[earlier] if keys[earlier] == key else OtherRequest()
        return _recall(key, known[key.digest], kept_as)

    return [outcome_of(n, request.key) for n, request in enumerate(requests)]


def _recall[O](key: IdempotencyKey, kept: _Kept | None, kept_as: OutcomeType[O]) -> O | KeyConflict:
    if kept is None:
        return InProgress()
    if kept.fingerprint != key.fingerprint:
        return OtherRequest()
    return kept_as.adapter.validate_json(kept.outcome)


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


async def _keep[O](tx: Tx, outcomes: Mapping[IdempotencyKey, O], kept_as: OutcomeType[O]) -> None:
    rows = [
        (key.digest, key.fingerprint, kept_as.adapter.dump_json(outcome).decode())
        for key, outcome in outcomes.items()
        if kept_as.has_effect(outcome)
    ]
    if rows:
        await tx.execute(KEEP, *zip(*rows, strict=True))


async def prune(tx: Tx, *, limit: int) -> int:
    """Delete outcomes older than RETENTION; return their number."""
    return int((await tx.execute(PRUNE, RETENTION, limit)).removeprefix("DELETE "))
