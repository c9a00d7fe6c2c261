"""A bucket of tokens: so many a second, and no more at once than it holds."""

from shared.platform.access.limits import Bucket, Draw, Rate

RATE = Rate(per_s=2, burst=4)


def drawn(bucket: Bucket, count: int, now_s: float) -> list[bool]:
    """Draw so often at one moment."""
    return [bucket.draw(now_s).allowed for _ in range(count)]


def test_what_may_be_had_at_once_is_bounded() -> None:
    """A full bucket gives its burst, then nothing."""
    assert drawn(Bucket.full(RATE, 0), 5, 0) == [True] * 4 + [False]


def test_a_bucket_fills_steadily() -> None:
    """Half a second brings one of two tokens a second, however often it is asked between."""
    bucket = Bucket.full(RATE, 0)
    drawn(bucket, 4, 0)
    assert [bucket.draw(at_s / 10).allowed for at_s in range(1, 11)].count(True) == 2


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    """A day of silence is no credit for a flood."""
    bucket = Bucket.full(RATE, 0)
    assert drawn(bucket, 6, 86_400) == [True] * 4 + [False] * 2


def test_a_draw_tells_what_is_left_and_when_there_is_more() -> None:
    """These are the figures of the headers; to wait for less than a second is not asked."""
    bucket = Bucket.full(RATE, 0)
    first = bucket.draw(0)
    assert first == Draw(allowed=True, remaining=3, next_in_s=1)
    drawn(bucket, 3, 0)
    last = bucket.draw(0)
    assert last == Draw(allowed=False, remaining=0, next_in_s=1)


def test_a_slow_rate_says_how_long_to_wait() -> None:
    """One who comes again then is served."""
    bucket = Bucket.full(Rate(per_s=1, burst=1), 10)
    assert drawn(bucket, 2, 10) == [True, False]
    assert bucket.draw(10 + bucket.draw(10).next_in_s).allowed
