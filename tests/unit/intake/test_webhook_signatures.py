"""Signatures of webhooks: a change of any single bit is detected."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from intake.webhooks import Secrets, hubspot, standard

NOW = datetime(2026, 11, 24, 12, 0, 0, 123_000, UTC)
URL = "https://www.example.com/webhook_uri?a=%3A%2F"
BODY = b'[{"objectId":7,"subscriptionType":"ticket.creation"}]'
SECRET, OTHER = b"the app's secret", b"the next secret"
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
WHSEC = f"whsec_{b64encode(KEY).decode()}"
MS = str(int(NOW.timestamp() * 1000))
S = str(int(NOW.timestamp()))


def from_hubspot(
    body: bytes = BODY, url: str = URL, timestamp: str = MS, signature: str | None = None
) -> str | None:
    """Verify a correctly signed request with these changes; return the fault."""
    headers = {
        "x-hubspot-signature-v3": signature or hubspot.sign(SECRET, URL, BODY, MS),
        "x-hubspot-request-timestamp": timestamp,
    }
    return hubspot.fault_of([SECRET], url, headers, body, NOW)


def signed(
    body: bytes = BODY, name: str = "msg_1", timestamp: str = S, signature: str | None = None
) -> str | None:
    """Verify a correctly signed webhook with these changes; return the fault."""
    headers = {
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature or standard.sign(KEY, "msg_1", S, BODY),
    }
    return standard.fault_of([KEY], headers, body, NOW)


def flips(text: bytes) -> Iterator[bytes]:
    """Flip each bit, one at a time."""
    for index in range(len(text)):
        for bit in range(8):
            yield text[:index] + bytes([text[index] ^ (1 << bit)]) + text[index + 1 :]


def texts(text: str) -> Iterator[str]:
    """Flip each bit of a header or URL, one at a time."""
    return (changed.decode("latin-1") for changed in flips(text.encode()))


def test_the_vector_of_hubspots_own_tests() -> None:
    """The tests of HubSpot's SDKs for Python and Ruby use these values."""
    secret = b"yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
    body = b"{'example_field':'example_value'}"
    made = hubspot.sign(secret, "https://www.example.com/webhook_uri", body, "15000000")
    assert made == "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw="


def test_only_the_named_escapes_are_decoded() -> None:
    """Twelve characters are decoded; a space, a percent sign and lower-case escapes are not."""
    escaped = "https://h/%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B"
    assert hubspot.sign(SECRET, escaped, b"", MS) == hubspot.sign(
        SECRET, "https://h/:/?@!$'()*,;", b"", MS
    )
    for kept, plain in (("%20", " "), ("%25", "%"), ("%3a", ":"), ("%253A", "%:")):
        assert hubspot.sign(SECRET, f"https://h/{kept}", b"", MS) != hubspot.sign(
            SECRET, f"https://h/{plain}", b"", MS
        )


def test_any_changed_bit_of_a_hubspot_request_is_detected() -> None:
    """In body, URL, timestamp or signature."""
    signature = hubspot.sign(SECRET, URL, BODY, MS)
    assert from_hubspot() is None
    assert all(from_hubspot(body=body) for body in flips(BODY))
    assert all(from_hubspot(url=url) for url in texts(URL))
    assert all(from_hubspot(timestamp=timestamp) for timestamp in texts(MS))
    assert all(from_hubspot(signature=changed) for changed in texts(signature))


def test_any_changed_bit_of_a_signed_webhook_is_detected() -> None:
    """In body, id, timestamp or signature."""
    signature = standard.sign(KEY, "msg_1", S, BODY)
    assert signed() is None
    assert all(signed(body=body) for body in flips(BODY))
    assert all(signed(name=name) for name in texts("msg_1"))
    assert all(signed(timestamp=timestamp) for timestamp in texts(S))
    assert all(signed(signature=changed) for changed in texts(signature))


@pytest.mark.parametrize("timestamp", ["", "now", "1e3", "+1", " 1", "-1", "1_0", "٣", "9" * 400])
def test_an_invalid_timestamp_is_refused(timestamp: str) -> None:
    """The fault names the timestamp."""
    assert "timestamp" in str(from_hubspot(timestamp=timestamp))
    assert "timestamp" in str(signed(timestamp=timestamp))


def test_either_of_two_secrets_is_accepted() -> None:
    """While one secret replaces the other, both are accepted, and a third is not."""
    for secret, is_accepted in ((SECRET, True), (OTHER, True), (b"a third", False)):
        headers = {
            "x-hubspot-signature-v3": hubspot.sign(secret, URL, BODY, MS),
            "x-hubspot-request-timestamp": MS,
        }
        fault = hubspot.fault_of([SECRET, OTHER], URL, headers, BODY, NOW)
        assert (fault is None) == is_accepted


def test_any_of_several_signatures_is_accepted() -> None:
    """A sender that replaces its secret signs with both; other versions and text are ignored."""
    both = f"v1a,x {standard.sign(OTHER_KEY, 'msg_1', S, BODY)} rubbish,, {signature()}"
    assert signed(signature=both) is None
    assert signed(signature=f"v2,{signature().partition(',')[2]}") is not None


def test_without_a_secret_or_signature_a_webhook_is_refused() -> None:
    """An empty signature is refused, and so is any without a secret to verify it."""
    headers = {"webhook-id": "m", "webhook-timestamp": S, "webhook-signature": ""}
    assert standard.fault_of([], headers, BODY, NOW) is not None
    assert standard.fault_of([KEY], headers, BODY, NOW) is not None


def test_an_id_with_a_full_stop_is_refused() -> None:
    """It would be ambiguous: "a.1" at "2" is signed like "a" at "1.2"."""
    signature = standard.sign(KEY, "msg.1", S, BODY)
    assert "webhook-id" in str(signed(name="msg.1", signature=signature))


def test_the_official_package_makes_the_same_signature() -> None:
    """The official package signs like our code."""
    at = datetime.fromtimestamp(int(S), UTC)
    assert Webhook(WHSEC).sign("msg_1", at, BODY.decode()) == signature()
    key = standard.key_of(WHSEC)
    assert key == KEY


def test_the_official_package_accepts_our_signature(tmp_path: Path) -> None:
    """It reads the computer's clock, so the timestamp is that of a file made just now."""
    now = str(int(tmp_path.stat().st_mtime))
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": now,
        "webhook-signature": standard.sign(KEY, "msg_1", now, BODY),
    }
    assert Webhook(WHSEC).verify(BODY, headers) == [
        {"objectId": 7, "subscriptionType": "ticket.creation"}
    ]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "whsec_ä"])
def test_a_malformed_secret_is_no_key(secret: str) -> None:
    """A secret must be base64 of at least 24 bytes."""
    assert standard.key_of(secret) is None


def test_a_secret_is_a_file(tmp_path: Path) -> None:
    """The file's text without the line end; a missing or empty file is no secret."""
    (tmp_path / "one").write_text("s3cret\n")
    (tmp_path / "empty").write_text("\n")
    secrets = Secrets(tmp_path)
    assert secrets.named("one") == SecretStr("s3cret")
    assert [secrets.named("empty"), secrets.named("none"), Secrets(None).named("one")] == [None] * 3
    assert "s3cret" not in repr(secrets.__dict__)


def signature() -> str:
    """Sign the sample."""
    return standard.sign(KEY, "msg_1", S, BODY)


def test_the_headers_of_svix_are_accepted() -> None:
    """The three headers must have the same prefix, that of Svix or that of the standard."""
    made = Webhook(WHSEC).sign("msg_1", datetime.fromtimestamp(int(S), UTC), BODY.decode())
    headers = {"svix-id": "msg_1", "svix-timestamp": S, "svix-signature": made}
    assert standard.fault_of([KEY], headers, BODY, NOW) is None
    assert standard.id_of(headers) == "msg_1"
    mixed = {"svix-id": "msg_1", "webhook-timestamp": S, "svix-signature": made}
    assert "svix-timestamp" in str(standard.fault_of([KEY], mixed, BODY, NOW))
    spoiled = {**headers, "svix-id": "msg_2"}
    assert "svix-signature" in str(standard.fault_of([KEY], spoiled, BODY, NOW))
    both = {**headers, "webhook-id": "msg_3"}
    assert "webhook-timestamp" in str(standard.fault_of([KEY], both, BODY, NOW))
