"""The SQL of sessions and sign-in links. Of their secrets (256 bits) only the SHA-256 is stored.

A session that began at the company's issuer stores the ID token, which is needed to end the
issuer's session; it is encrypted with the secret. Lifetimes use PostgreSQL's real clock, not
business time, which may run faster.
"""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Final

from joserfc import jwe
from joserfc.jwk import OctKey

from shared.platform.postgres import Tx
from shared.web.visitors import Person

__all__ = ["LINK_VALID", "begin", "end", "link", "make_link", "resume", "use_link"]

LINK_VALID: Final = timedelta(minutes=15)
IDLE_MAX: Final = timedelta(hours=1)
"""An open page counts as use: its stream updates ``seen_at``."""
SESSION_MAX: Final = timedelta(hours=12)
_SEEN_AGAIN: Final = timedelta(minutes=1)
_SEAL: Final = {"alg": "dir", "enc": "A256GCM"}

MAKE_LINK: Final = """
    INSERT INTO web_link (digest, person, lead, expires_at) VALUES ($1, $2, $3, now() + $4)
    ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at
"""
LINK: Final = "SELECT person, lead FROM web_link WHERE digest = $1 AND expires_at > now()"
USE_LINK: Final = """
    DELETE FROM web_link WHERE digest = $1 AND expires_at > now() RETURNING person, lead
"""
FORGET_LINKS: Final = "DELETE FROM web_link WHERE expires_at <= now()"
BEGIN: Final = """
    INSERT INTO web_session (digest, person, lead, id_token) VALUES ($1, $2, $3, $4)
"""
# The row lock keeps the session from ending during the transaction.
RESUME: Final = """
    SELECT person, lead, seen_at < now() - $4::interval AS long_ago FROM web_session
    WHERE digest = $1 AND seen_at > now() - $2::interval AND began_at > now() - $3::interval
    FOR KEY SHARE
"""
SEE: Final = "UPDATE web_session SET seen_at = now() WHERE digest = $1"
END: Final = "DELETE FROM web_session WHERE digest = $1 RETURNING id_token"
FORGET_SESSIONS: Final = """
    DELETE FROM web_session
    WHERE seen_at <= now() - $1::interval OR began_at <= now() - $2::interval
"""


async def make_link(tx: Tx, person: Person, secret: str | None = None) -> str:
    """Create a link with which a person can sign in once, within LINK_VALID; return its secret.

    With the ``secret`` of a used link, that link can be used once more.
    """
    await tx.execute(FORGET_LINKS)
    secret = secret or secrets.token_urlsafe(32)
    await tx.execute(MAKE_LINK, _digest(secret), person.name, person.lead, LINK_VALID)
    return secret


async def link(tx: Tx, secret: str) -> Person | None:
    """Return a link's person if it is still valid; does not use it up, as mail scanners open it."""
    row = await tx.fetchrow(LINK, _digest(secret))
    return None if row is None else Person(row["person"], lead=row["lead"])


async def use_link(tx: Tx, secret: str) -> Person | None:
    """Use a link up and return its person; of two concurrent uses, one succeeds."""
    row = await tx.fetchrow(USE_LINK, _digest(secret))
    return None if row is None else Person(row["person"], lead=row["lead"])


async def begin(tx: Tx, person: Person, id_token: str | None = None) -> str:
    """Begin a session; return its secret, the value of the cookie."""
    await tx.execute(FORGET_SESSIONS, IDLE_MAX, SESSION_MAX)
    secret = secrets.token_urlsafe(32)
    sealed = None if id_token is None else jwe.encrypt_compact(_SEAL, id_token, _key(secret))
    await tx.execute(BEGIN, _digest(secret), person.name, person.lead, sealed)
    return secret


async def resume(tx: Tx, secret: str) -> Person | None:
    """Return the person of a session that has not ended, and record its use."""
    digest = _digest(secret)
    row = await tx.fetchrow(RESUME, digest, IDLE_MAX, SESSION_MAX, _SEEN_AGAIN)
    if row is None:
        return None
    if row["long_ago"]:
        await tx.execute(SEE, digest)
    return Person(row["person"], lead=row["lead"])


async def end(tx: Tx, secret: str) -> str | None:
    """End a session for all its open pages; return the ID token with which it began."""
    sealed = await tx.fetchval(END, _digest(secret))
    if sealed is None:
        return None
    return (jwe.decrypt_compact(sealed, _key(secret)).plaintext or b"").decode()


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _key(secret: str) -> OctKey:
    return OctKey.import_key(sha256(b"id-token/" + secret.encode()).digest())
