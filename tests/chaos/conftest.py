"""How many seeds to try: one in every run of the tests, ten by `make chaos`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make chaos` ask for more."""
    parser.addoption("--seeds", type=int, default=1, help="seeds of random kills to try")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that wants a seed once for each."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))
