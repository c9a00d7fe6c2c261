"""The shipped mappings account for every row of the two real logs they were written for."""

import os
from collections import Counter
from pathlib import Path

import pytest

from lab.replay.log import read_log
from lab.replay.mapping import find_mapping, load

DATA = Path(os.environ.get("PREMIUM_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.mark.parametrize(
    ("name", "tickets", "rows", "back"),
    [("servicenow", 17_136, 101_045, 7), ("volvo", 7_554, 65_533, 0)],
)
def test_every_row_is_accounted_for(name: str, tickets: int, rows: int, back: int) -> None:
    """Each row tells something or no news, but those that go back in time; no id is shared."""
    log = read_log(DATA / f"{name}_incidents.csv.gz", load(find_mapping(name)))
    assert log.rows == rows
    assert log.rows_telling + log.rows_no_news + back == rows
    assert log.refused == back
    kinds = Counter(told.kind for told in log.told)
    assert kinds["request"] == tickets
    assert len({told.document.document_id for told in log.told}) == len(log.told)
    assert [told.at for told in log.told] == sorted(told.at for told in log.told)
