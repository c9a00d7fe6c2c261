"""Rows become the documents that upstream would have sent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.replay.mapping import find_mapping, load
from lab.replay.reader import Refusal, Row
from lab.replay.rows import Interpreter, LogDocument
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

    def saved(self, **changes: str) -> list[LogDocument] | Refusal | None:
        """Read the incident's next row."""
        self._line += 1
        cells = {name: cell for name, cell in (INCIDENT | changes).items() if cell}
        return self._interpreter.interpret(Row(self._line, cells))

    def facts(self, **changes: str) -> list[str]:
        """Return the kinds of the next row's documents."""
        documents = self.saved(**changes)
        assert isinstance(documents, list)
        return [each.kind for each in documents]


def test_the_first_row_is_the_request() -> None:
    """The create date is when the incident was opened; it is sent at the time of its row."""
    documents = Log().saved()
    assert isinstance(documents, list)
    assert documents == [
        LogDocument(
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
    """States become facts; a row that changes no state leads to no document."""
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


def test_a_reached_caller_meets_the_callback() -> None:
    """A phoned incident in progress on its first row leads to a request and a fact."""
    assert Log().facts(contact_type="Phone", incident_state="Active") == [
        "request",
        "customer_reached",
    ]


def test_rows_of_one_minute_keep_their_order() -> None:
    """Facts with one logged time get the smallest distance that keeps their order."""
    log = Log()
    log.saved(opened_at="1/3/2016 09:00")
    step_times = []
    for state in ("Awaiting User Info", "Active", "Awaiting User Info", "Resolved"):
        documents = log.saved(incident_state=state)
        assert isinstance(documents, list)
        step_times += [each.document.occurred_at for each in documents]
    assert step_times == [NINE + timedelta(microseconds=k) for k in range(1, 7)]


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


def documents_of(tmp_path: Path, *rows: dict[str, str]) -> list[LogDocument]:
    """Read rows by ONE_ROW."""
    (tmp_path / "map.yaml").write_text(ONE_ROW)
    interpreter = Interpreter(load(tmp_path / "map.yaml"))
    documents = []
    for line, cells in enumerate(rows, 1):
        found = interpreter.interpret(
            Row(line, {"id": "1", "created_at": NINE.isoformat()} | cells)
        )
        assert isinstance(found, list), found
        documents += found
    return documents


def test_a_row_may_have_facts_with_their_own_times(tmp_path: Path) -> None:
    """An export with one row per ticket has the time of each fact; each is sent at its time."""
    at = [(NINE + timedelta(hours=hour)).isoformat() for hour in range(4)]
    instants = {"seen_at": at[1], "read_at": at[2], "resolved_at": at[3]}
    documents = documents_of(tmp_path, instants, instants | {"state": "open"})
    assert [(each.kind, each.at, each.document.occurred_at) for each in documents] == [
        ("request", NINE, NINE),
        *(
            (kind, NINE + timedelta(hours=hour), NINE + timedelta(hours=hour))
            for kind, hour in (("noted", 1), ("noted", 2), ("resolved", 3))
        ),
    ]
    assert len({each.document.document_id for each in documents}) == 4


def test_a_neutral_row_does_not_change_the_state(tmp_path: Path) -> None:
    """A missing value, or one translated to nothing, is no change of state."""
    states: tuple[dict[str, str], ...] = (
        {"state": "asked"},
        {},
        {"state": "comment"},
        {"state": "asked"},
        {"state": "comment"},
        {"state": "open"},
    )
    kinds = [each.kind for each in documents_of(tmp_path, *states)]
    assert kinds == ["request", "waiting", "resumed"]


def test_a_refused_row_has_no_effect() -> None:
    """A later row leads to the fact that the refused one would have had."""
    log = Log()
    log.saved()
    refusal = log.saved(incident_state="Active", priority="9 - Unheard of")
    assert isinstance(refusal, Refusal)
    assert log.facts(incident_state="Active") == ["responded"]


def test_equal_rows_are_not_duplicates() -> None:
    """Ids contain the row, so equal facts of two rows stay two facts."""
    log = Log()
    log.saved()
    ids = set()
    for state in ("Awaiting Vendor", "New", "Awaiting Vendor", "New"):
        documents = log.saved(incident_state=state)
        assert isinstance(documents, list)
        ids |= {each.document.document_id for each in documents}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"number": ""}, "number", "holds no value"),
        ({"incident_state": "-100"}, "incident_state", "'-100' is not in the table of state"),
        ({"sys_updated_at": "2016-03-01"}, "sys_updated_at", "'2016-03-01' is not a time in the"),
        ({"opened_at": "1/3/1916 08:58"}, "opened_at", "occurred_at: Value error, lies outside"),
        ({"location": "x" * 300}, "location", "account_id: String should have at most 200"),
        ({"impact": ""}, "impact", "holds no value; a field may give it a default"),
    ],
)
def test_a_bad_row_is_refused_with_its_column(
    changes: dict[str, str], column: str, reason: str
) -> None:
    """The refusal has line, column and reason; the ticket's next good row is not affected."""
    log = Log()
    refusal = log.saved(**changes)
    assert isinstance(refusal, Refusal)
    assert (refusal.line, refusal.column) == (2, column)
    assert refusal.reason.startswith(reason)
    assert log.facts() == ["request"]


def test_an_offset_in_the_log_counts() -> None:
    """Volvo's times have their own offsets."""
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
    documents = interpreter.interpret(Row(2, cells))
    assert isinstance(documents, list)
    request, responded, waiting = (each.document for each in documents)
    assert isinstance(request, SupportRequest)
    assert request.occurred_at == datetime(2010, 3, 31, 14, 59, 42, tzinfo=UTC)
    assert (request.severity, request.time_zone) == ("business_critical", "Europe/Warsaw")
    assert isinstance(responded, LaterFact)
    assert responded.type == "responded"
    assert isinstance(waiting, LaterFact)
    assert waiting.waiting_for == "customer"


def test_only_the_wanted_tickets_are_read() -> None:
    """These are the log's first tickets, with all their rows."""
    interpreter = Interpreter(load(find_mapping("servicenow")), tickets_max=1)
    counts = []
    for line, (number, state) in enumerate((("A", "New"), ("B", "New"), ("A", "Active")), 2):
        documents = interpreter.interpret(
            Row(line, INCIDENT | {"number": number, "incident_state": state})
        )
        counts.append(len(documents) if isinstance(documents, list) else documents)
    assert counts == [1, None, 1]


def test_shipped_mappings_are_package_data() -> None:
    """Both are installed with the command."""
    assert {find_mapping(name).parent for name in ("servicenow", "volvo")} == {
        Path(find_mapping("volvo")).parent
    }
