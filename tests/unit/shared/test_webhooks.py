"""A file of connections is refused whole, each fault with its place and what to do."""

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
    """Read the file with one thing changed; its faults come back, a line each."""
    assert old in FILE
    with pytest.raises(Refused) as refused:
        connections_of(FILE.replace(old, new), "f")
    return str(refused.value).splitlines()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: hubspot", "kind: hubpsot", "f:3:5: connections[0].kind: is 'hubpsot'; did you"),
        ("    url: https://example.com/hook\n", "", "f:2:5: connections[0]: HubSpot signs the U"),
        ("https://example.com/hook", "example.com", "f:4:5: connections[0].url: is no URL"),
        ("[app]", "[app, app]", "f:5:5: connections[0].secrets: the same secret stands here"),
        (
            "[app]",
            "[../app]",
            "f:5:15: connections[0].secrets[0]: '../app' is no name of a file; use",
        ),
        ("[app]", "[a, b, c]", "f:5:5: connections[0].secrets: 3 secrets; at most 2"),
        ("epoch_ms", "epoch", "occurred_at: 'epoch' is no form of time; did you mean 'epoch_s'?"),
        ('"{$.id}"', '"{$.[}"', "mapping.ticket: '$.[' is no JSONPath (expected a shorthand"),
        ('"{$.id}"', '"{$.id"', "mapping.ticket: a brace stands alone; braces hold a JSONPath"),
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
def test_a_fault_is_named_with_its_place(old: str, new: str, said: str) -> None:
    """File, line and column, the field, the fault and the remedy."""
    found = faults(old, new)
    assert len(found) == 1
    assert said in found[0]


def test_all_faults_are_named_at_once() -> None:
    """Whoever mends a file mends it once."""
    assert (
        len(faults("[app]\n    mapping:\n      source: hub", "[]\n    mapping:\n      sorce: x"))
        == 2
    )


def test_a_table_is_tried_before_it_is_used() -> None:
    """A severity that there is not would be found out by the first ticket else."""
    found = faults(
        "channel: email", 'channel: email\n            severity: {from: "{$.p}", values: {P1: bad}}'
    )
    path = "connections[0].mapping.rules[0].request.severity.values.P1"
    assert found == [f"f:16:48: {path}: is 'bad'; known are business_critical, standard"]


def test_a_name_is_taken_once() -> None:
    """The second of a name is refused."""
    twice = FILE + FILE.removeprefix("connections:\n")
    with pytest.raises(Refused, match="'hub' is taken; choose another"):
        connections_of(twice, "f")


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("webhooks-*.yaml")), ids=lambda f: f.stem)
def test_the_examples_hold(file: Path) -> None:
    """They have no fault, and read back from their plain data as they are."""
    for connection in load_connections(file):
        assert WebhookConnection.model_validate(connection.document) == connection
