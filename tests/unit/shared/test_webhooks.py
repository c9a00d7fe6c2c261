"""A file of connections with faults is refused; each fault has its position and remedy."""

from pathlib import Path

import pytest

from shared.basics.yaml_source import Refused
from shared.webhooks import WebhookConnection, connections_of, load_connections

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
FILE = """\
connections:
  - name: hub
    kind: hubspot
    url: https://example.com/hook
    secrets: [app]
    mapping:
      source: hub
      ticket: "{$.id}"
      occurred_at: {from: "{$.at}", time: epoch_ms}
      rules:
        - when: {$.type: made}
          request:
            account_id: a
            requester_id: r
            channel: email
            subject: "Ticket {$.id}"
        - when: {$.type: done}
          fact: {type: closed}
"""


def faults(old: str, new: str) -> list[str]:
    """Load the file with one change; return its faults, a line each."""
    assert old in FILE
    with pytest.raises(Refused) as refused:
        connections_of(FILE.replace(old, new), "f")
    return str(refused.value).splitlines()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: hubspot", "kind: hubpsot", "f:3:5: connections[0].kind: is 'hubpsot'; did you"),
        ("    url: https://example.com/hook\n", "", "f:2:5: connections[0]: HubSpot signs the U"),
        ("https://example.com/hook", "example.com", "f:4:5: connections[0].url: is no URL"),
        ("[app]", "[app, app]", "f:5:5: connections[0].secrets: the same secret is listed"),
        (
            "[app]",
            "[../app]",
            "f:5:15: connections[0].secrets[0]: '../app' is no name of a file; use",
        ),
        ("[app]", "[a, b, c]", "f:5:5: connections[0].secrets: 3 secrets; at most 2"),
        ("epoch_ms", "epoch", "occurred_at: 'epoch' is no form of time; did you mean 'epoch_s'?"),
        ('"{$.id}"', '"{$.[}"', "mapping.ticket: '$.[' is no JSONPath (expected a shorthand"),
        ('"{$.id}"', '"{$.id"', "mapping.ticket: an unmatched brace; braces enclose a JSONPath"),
        ("$.type: made", "type: made", "'type' is no JSONPath"),
        ("channel: email", "channel: fax", "f:15:13: connections[0].mapping.rules[0].request"),
        ("channel: email", "channel: fax", "is 'fax'; known are chat, email, phone"),
        ("channel: email", "chanel: email", "unknown key 'chanel'; did you mean 'channel'?"),
        ('            subject: "Ticket {$.id}"\n', "", "'subject' is missing; add it"),
        ("{type: closed}", "{type: reclassified}", "severity goes with type reclassified"),
        ("{type: closed}", "{type: gone}", "fact.type: is 'gone'; "),
        ("fact: {type: closed}", "fact: {type: closed}\n          erase: x", "has one of request"),
    ],
)
def test_a_fault_is_reported_with_its_position(old: str, new: str, message: str) -> None:
    """With file, line and column, field, fault and remedy."""
    found = faults(old, new)
    assert len(found) == 1
    assert message in found[0]


def test_all_faults_are_reported_at_once() -> None:
    """So that one edit can correct them."""
    assert (
        len(faults("[app]\n    mapping:\n      source: hub", "[]\n    mapping:\n      sorce: x"))
        == 2
    )


def test_table_values_are_validated() -> None:
    """An unknown severity in a table is found when the file is loaded."""
    found = faults(
        "channel: email", 'channel: email\n            severity: {from: "{$.p}", values: {P1: bad}}'
    )
    path = "connections[0].mapping.rules[0].request.severity.values.P1"
    assert found == [f"f:16:48: {path}: is 'bad'; known are business_critical, standard"]


def test_names_are_unique() -> None:
    """A second connection with the same name is refused."""
    twice = FILE + FILE.removeprefix("connections:\n")
    with pytest.raises(Refused, match="'hub' is taken; choose another"):
        connections_of(twice, "f")


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("webhooks-*.yaml")), ids=lambda f: f.stem)
def test_the_examples_are_valid(file: Path) -> None:
    """They have no fault, and serialise without loss."""
    for connection in load_connections(file):
        assert WebhookConnection.model_validate(connection.document) == connection
