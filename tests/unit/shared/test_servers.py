"""Which servers the tests use."""

import pytest

from shared.testing.servers import Servers, UnusableServersError, choose, from_environment

BOTH = {
    "PREMIUM_POSTGRES_DSN": "postgresql://admin@db.example/postgres",
    "PREMIUM_KAFKA_BOOTSTRAP": "kafka.example:9092",
}


def test_servers_that_are_named_come_first() -> None:
    """Whoever names both servers gets them."""
    assert choose(BOTH).back_end == "env"
    assert from_environment(BOTH) == Servers(*BOTH.values())


@pytest.mark.parametrize("back_end", ["env", "local"])
def test_a_back_end_can_be_forced(back_end: str) -> None:
    """PREMIUM_TEST_SERVERS decides over what else is there."""
    choice = choose({**BOTH, "PREMIUM_TEST_SERVERS": back_end})
    assert str(choice) == f"servers: {back_end} (PREMIUM_TEST_SERVERS)"


@pytest.mark.parametrize(
    ("environ", "advice"),
    [
        ({"PREMIUM_TEST_SERVERS": "cloud"}, "choose one of env, containers, local"),
        ({"PREMIUM_TEST_SERVERS": "env"}, "set PREMIUM_POSTGRES_DSN and PREMIUM_KAFKA_BOOTSTRAP"),
        ({"PREMIUM_KAFKA_BOOTSTRAP": "kafka.example:9092"}, "PREMIUM_POSTGRES_DSN is missing"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(environ: dict[str, str], advice: str) -> None:
    """The text says what to change."""
    with pytest.raises(UnusableServersError, match=advice) as refusal:
        choose(environ)
    assert "\n" not in str(refusal.value)
