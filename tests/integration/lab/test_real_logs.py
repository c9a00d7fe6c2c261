"""The shipped mappings read every row of the two real logs they were written for."""

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
def test_every_row_is_counted(name: str, tickets: int, rows: int, back: int) -> None:
    """A row has documents, or none, or goes back in time; ids are unique."""
    log = read_log(DATA / f"{name}_incidents.csv.gz", load(find_mapping(name)))
    assert log.rows == rows
    assert log.rows_with_documents + log.rows_without_documents + back == rows
    assert log.refused == back
    kinds = Counter(one.kind for one in log.documents)
    assert kinds["request"] == tickets
    assert len({one.document.document_id for one in log.documents}) == len(log.documents)
    assert [one.at for one in log.documents] == sorted(one.at for one in log.documents)
