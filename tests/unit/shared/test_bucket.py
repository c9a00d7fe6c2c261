"""The token bucket of a rate limit."""

from shared.platform.access.limits import Bucket, Draw, Rate

RATE = Rate(per_s=2, burst=4)


def drawn(bucket: Bucket, count: int, now_s: float) -> list[bool]:
    """Take so many tokens at one instant."""
    return [bucket.draw(now_s).allowed for _ in range(count)]


def test_a_burst_is_limited() -> None:
    """A full bucket allows its burst, then nothing."""
    assert drawn(Bucket.full(RATE, 0), 5, 0) == [True] * 4 + [False]


def test_a_bucket_fills_steadily() -> None:
    """Half a second adds one of two tokens a second, however often it is asked in between."""
    bucket = Bucket.full(RATE, 0)
    drawn(bucket, 4, 0)
    assert [bucket.draw(at_s / 10).allowed for at_s in range(1, 11)].count(True) == 2


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    """A day without requests does not allow a larger burst."""
    bucket = Bucket.full(RATE, 0)
    assert drawn(bucket, 6, 86_400) == [True] * 4 + [False] * 2


def test_the_result_has_the_remaining_tokens_and_the_wait() -> None:
    """The values are those of the RateLimit header; the wait is at least a second."""
    bucket = Bucket.full(RATE, 0)
    first = bucket.draw(0)
    assert first == Draw(allowed=True, remaining=3, next_in_s=1)
    drawn(bucket, 3, 0)
    last = bucket.draw(0)
    assert last == Draw(allowed=False, remaining=0, next_in_s=1)


def test_the_wait_is_sufficient() -> None:
    """A request after the given wait is allowed."""
    bucket = Bucket.full(Rate(per_s=1, burst=1), 10)
    assert drawn(bucket, 2, 10) == [True, False]
    assert bucket.draw(10 + bucket.draw(10).next_in_s).allowed
