"""Rows become the documents that upstream would have sent, each row accounted for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.replay.mapping import find_mapping, load
from lab.replay.reader import Refusal, Row
from lab.replay.rows import Interpreter, Told
from shared.events import LaterFact, SupportRequest

NINE = datetime(2016, 3, 1, 9, 0, tzinfo=UTC)

INCIDENT = {
    "number": "INC1",
    "incident_state": "New",
    "opened_at": "1/3/2016 08:58",
    "sys_updated_at": "1/3/2016 09:00",
    "contact_type": "Email",
    "priority": "3 - Moderate",
    "impact": "2 - Medium",
    "urgency": "2 - Medium",
    "location": "Location 1",
    "category": "Category 2",
}


class Log:
    """Rows of one incident, as ServiceNow writes them, read by the shipped mapping."""

    def __init__(self) -> None:
        self._interpreter = Interpreter(load(find_mapping("servicenow")))
        self._line = 1

    def saved(self, **changes: str) -> list[Told] | Refusal | None:
        """Read the incident's next row."""
        self._line += 1
        cells = {name: cell for name, cell in (INCIDENT | changes).items() if cell}
        return self._interpreter.tell(Row(self._line, cells))

    def facts(self, **changes: str) -> list[str]:
        """Name what the next row tells."""
        told = self.saved(**changes)
        assert isinstance(told, list)
        return [each.kind for each in told]


def test_first_row_is_the_request() -> None:
    """The create date is when the incident was opened, told when its row was written."""
    told = Log().saved()
    assert isinstance(told, list)
    assert told == [
        Told(
            NINE,
            2,
            SupportRequest(
                source="servicenow",
                external_id="INC1",
                account_id="Location 1",
                requester_id="Caller unknown",
                role="super_admin",
                channel="email",
                severity="standard",
                language="en",
                subject="Category 2",
                body="Symptom unknown: Category 2, Subcategory unknown. "
                "Impact 2 - Medium, urgency 2 - Medium.",
                occurred_at=NINE - timedelta(minutes=2),
            ),
        )
    ]


def test_life_of_an_incident() -> None:
    """States become facts; a row that changes no state tells no news."""
    log = Log()
    assert log.facts() == ["request"]
    assert log.facts(assigned_to="Resolver 1") == []
    assert log.facts(incident_state="Awaiting Vendor") == ["waiting"]
    assert log.facts(incident_state="Awaiting Vendor") == []
    assert log.facts(incident_state="Awaiting User Info") == ["responded", "waiting"]
    assert log.facts(incident_state="Active") == ["resumed"]
    assert log.facts(incident_state="Active", priority="1 - Critical") == ["reclassified"]
    assert log.facts(incident_state="Resolved", priority="1 - Critical") == ["resolved"]
    assert log.facts(incident_state="Active", priority="1 - Critical") == ["reopened"]
    assert log.facts(incident_state="Closed", priority="2 - High") == ["reclassified", "closed"]


def test_callback_is_kept_when_the_caller_was_reached() -> None:
    """A phoned incident that is taken up on its first row tells both at once."""
    assert Log().facts(contact_type="Phone", incident_state="Active") == [
        "request",
        "customer_reached",
    ]


def test_rows_of_one_minute_keep_their_order() -> None:
    """Facts at one logged instant are set apart by as little as is told apart: order is time."""
    log = Log()
    log.saved(opened_at="1/3/2016 09:00")
    moments = []
    for state in ("Awaiting User Info", "Active", "Awaiting User Info", "Resolved"):
        told = log.saved(incident_state=state)
        assert isinstance(told, list)
        moments += [each.document.occurred_at for each in told]
    assert moments == [NINE + timedelta(microseconds=k) for k in range(1, 7)]


ONE_ROW = """\
log: {format: jsonl}
source: status
ticket: id
time: {column: created_at, format: iso}
fields:
  state: {column: state, values: {open: open, asked: asked, comment: }}
request: {account_id: a, requester_id: r, role: seat, channel: email, language: en, subject: s}
facts:
  - {fact: noted, at: seen_at}
  - {fact: noted, at: read_at}
  - {fact: resolved, at: resolved_at}
  - {fact: resumed, is: {state: open}, was: {state: asked}}
  - {fact: waiting, is: {state: asked}, was_not: {state: asked}}
"""


def told_by(tmp_path: Path, *rows: dict[str, str]) -> list[Told]:
    """Read rows by ONE_ROW."""
    (tmp_path / "map.yaml").write_text(ONE_ROW)
    interpreter = Interpreter(load(tmp_path / "map.yaml"))
    told = []
    for line, cells in enumerate(rows, 1):
        found = interpreter.tell(Row(line, {"id": "1", "created_at": NINE.isoformat()} | cells))
        assert isinstance(found, list), found
        told += found
    return told


def test_a_row_tells_facts_at_instants_of_their_own(tmp_path: Path) -> None:
    """An export with one row a ticket names when each thing happened; each is told when due."""
    at = [(NINE + timedelta(hours=hour)).isoformat() for hour in range(4)]
    instants = {"seen_at": at[1], "read_at": at[2], "resolved_at": at[3]}
    told = told_by(tmp_path, instants, instants | {"state": "open"})
    assert [(each.kind, each.at, each.document.occurred_at) for each in told] == [
        ("request", NINE, NINE),
        *(
            (kind, NINE + timedelta(hours=hour), NINE + timedelta(hours=hour))
            for kind, hour in (("noted", 1), ("noted", 2), ("resolved", 3))
        ),
    ]
    assert len({each.document.document_id for each in told}) == 4


def test_a_neutral_row_leaves_the_state_as_it_was(tmp_path: Path) -> None:
    """What a row does not say, or says nothing by, is not a change of state."""
    states: tuple[dict[str, str], ...] = (
        {"state": "asked"},
        {},
        {"state": "comment"},
        {"state": "asked"},
        {"state": "comment"},
        {"state": "open"},
    )
    kinds = [each.kind for each in told_by(tmp_path, *states)]
    assert kinds == ["request", "waiting", "resumed"]


def test_a_refused_row_leaves_no_trace() -> None:
    """What it would have told for the first time, a later row tells."""
    log = Log()
    log.saved()
    refusal = log.saved(incident_state="Active", priority="9 - Unheard of")
    assert isinstance(refusal, Refusal)
    assert log.facts(incident_state="Active") == ["responded"]


def test_equal_rows_are_no_duplicates() -> None:
    """Ids name the row: a fact that is told twice at one time by two rows stays two facts."""
    log = Log()
    log.saved()
    ids = set()
    for state in ("Awaiting Vendor", "New", "Awaiting Vendor", "New"):
        told = log.saved(incident_state=state)
        assert isinstance(told, list)
        ids |= {each.document.document_id for each in told}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"number": ""}, "number", "holds no value"),
        ({"incident_state": "-100"}, "incident_state", "'-100' is not in the table of state"),
        ({"sys_updated_at": "2016-03-01"}, "sys_updated_at", "'2016-03-01' is no time in the"),
        ({"opened_at": "1/3/1916 08:58"}, "opened_at", "occurred_at: Value error, lies outside"),
        ({"location": "x" * 300}, "location", "account_id: String should have at most 200"),
        ({"impact": ""}, "impact", "holds no value; a field may give it a default"),
    ],
)
def test_bad_row_is_refused_with_its_column(
    changes: dict[str, str], column: str, reason: str
) -> None:
    """Line, column and reason; the ticket's next good row is read as if it were not there."""
    log = Log()
    refusal = log.saved(**changes)
    assert isinstance(refusal, Refusal)
    assert (refusal.line, refusal.column) == (2, column)
    assert refusal.reason.startswith(reason)
    assert log.facts() == ["request"]


def test_offset_in_the_log_counts() -> None:
    """Volvo's times carry their own offset; waits pause, asking the user answers."""
    interpreter = Interpreter(load(find_mapping("volvo")))
    cells = {
        "SR Number": "1-1",
        "Change Date+Time": "2010-03-31T15:59:42+01:00",
        "Sub Status": "Wait - User",
        "SR Latest Impact": "Major",
        "Product": "PROD1",
        "Country": "pl",
        "Involved ST": "V30",
    }
    told = interpreter.tell(Row(2, cells))
    assert isinstance(told, list)
    request, responded, waiting = (each.document for each in told)
    assert isinstance(request, SupportRequest)
    assert request.occurred_at == datetime(2010, 3, 31, 14, 59, 42, tzinfo=UTC)
    assert (request.severity, request.time_zone) == ("business_critical", "Europe/Warsaw")
    assert isinstance(responded, LaterFact)
    assert responded.type == "responded"
    assert isinstance(waiting, LaterFact)
    assert waiting.waiting_for == "customer"


def test_only_the_wanted_tickets_are_told() -> None:
    """A slice of a log is its first tickets, with all their rows."""
    interpreter = Interpreter(load(find_mapping("servicenow")), tickets_max=1)
    counts = []
    for line, (number, state) in enumerate((("A", "New"), ("B", "New"), ("A", "Active")), 2):
        told = interpreter.tell(Row(line, INCIDENT | {"number": number, "incident_state": state}))
        counts.append(len(told) if isinstance(told, list) else told)
    assert counts == [1, None, 1]


def test_shipped_mappings_are_package_data() -> None:
    """Both lie beside the code, so that an installed command finds them."""
    assert {find_mapping(name).parent for name in ("servicenow", "volvo")} == {
        Path(find_mapping("volvo")).parent
    }
