"""Evidence in a claim's text: published examples, negations, scope, time, hostile text."""

import json
from resource import RUSAGE_SELF, getrusage

import pytest

from intake.domain.criticality import quoted, read_claim
from intake.domain.criticality.rules import PHRASES, RULES_AGAINST, RULES_FOR
from shared.events import ClaimReading, Leaning

HOSTILE_CHARACTERS = 100_000
HOSTILE_PROCESSOR_S_MAX = 1.0


def criteria(reading: ClaimReading) -> set[str]:
    """Return the criteria of both sides."""
    return {e.criterion for e in (*reading.speaks_for, *reading.speaks_against)}


@pytest.mark.parametrize(
    ("body", "criterion"),
    [
        ("Most or all users cannot log in or reach necessary tools.", "login_blocked"),
        ("Nobody in our company can log in", "login_blocked"),
        ("Since 9:00 nobody has access to the hub", "login_blocked"),
        ("All our remote users can\u2019t sign in since this morning.", "login_blocked"),
        ("Not a single user can log in", "login_blocked"),
        ("200 users cannot log in", "login_blocked"),
        ("Login fails for everyone. Could you tell us how long it takes?", "login_blocked"),
        ("A system-wide outage stops our core operations.", "outage"),
        ("The whole platform is down and our launch is today", "outage"),
        ("We cannot process any orders", "outage"),
        ("Our launch is blocked", "outage"),
        ("Our site shop.example.com is down", "outage"),
        ("Widespread loss of access to CMS content across teams.", "content_access_lost"),
        ("Several departments can no longer open the pages in the CMS", "content_access_lost"),
        ("There is critical data loss.", "data_loss_or_breach"),
        ("Half of our contact records were wiped overnight", "data_loss_or_breach"),
        ("A security breach may expose our data", "data_loss_or_breach"),
        ("Our account was hacked and customer data may be exposed", "data_loss_or_breach"),
    ],
)
def test_published_examples_of_critical(body: str, criterion: str) -> None:
    """A published example of critical leans to critical, with its criterion as evidence."""
    reading = read_claim("Urgent", body)
    assert reading.leaning == "critical"
    assert criterion in {evidence.criterion for evidence in reading.speaks_for}


@pytest.mark.parametrize(
    ("body", "criterion"),
    [
        ("One user cannot log in", "one_user_or_small_group"),
        ("My colleague can't log in", "one_user_or_small_group"),
        ("I cannot log in to my account", "one_user_or_small_group"),
        ("Only 3 users are affected, everyone else can work", "one_user_or_small_group"),
        ("A small group of users sees an error", "one_user_or_small_group"),
        ("How do we add a domain? We must know before tomorrow!", "question"),
        ("Is the system down?", "question"),
        ("What does this button do?", "question"),
        ("There is a typo on the login page", "minor_or_cosmetic"),
        ("The logo looks misaligned in the footer", "minor_or_cosmetic"),
        ("The dashboard is a little slow this morning", "minor_or_cosmetic"),
        ("Please send us information about pricing", "information_or_configuration"),
        ("We would like to change our settings next month", "information_or_configuration"),
    ],
)
def test_published_examples_of_not_critical(body: str, criterion: str) -> None:
    """A published example of not critical leans to not critical, even with the subject "Urgent"."""
    reading = read_claim("Urgent", body)
    assert reading.leaning == "not_critical"
    assert criterion in {evidence.criterion for evidence in reading.speaks_against}
    assert reading.speaks_for == ()


@pytest.mark.parametrize(
    "body",
    [
        "No data was lost",
        "There is no evidence that any customer data was exposed",
        "The system is not down",
        "There is no outage",
        "Nobody has lost data",
        "It isn't an outage",
    ],
)
def test_a_negated_statement_is_no_evidence(body: str) -> None:
    """A text that denies a problem has no evidence on either side."""
    assert read_claim("", body) == ClaimReading(speaks_for=(), speaks_against=(), leaning="unclear")


def test_not_everyone_is_a_group() -> None:
    """A negated "everyone" means a small group."""
    reading = read_claim("", "Not everyone is affected, just three people see an error")
    assert criteria(reading) == {"one_user_or_small_group"}


@pytest.mark.parametrize(
    "body",
    [
        "We do not know why, but all users are locked out",
        "There is no workaround and all employees are locked out",
        "No, all users are locked out",
        "Not only our office: the whole company cannot log in",
    ],
)
def test_a_negation_ends_with_its_clause(body: str) -> None:
    """A negation does not affect the next clause."""
    assert read_claim("", body).leaning == "critical"


@pytest.mark.parametrize(
    ("body", "leaning"),
    [
        ("The outage was resolved yesterday.", "unclear"),
        ("All users were locked out this morning. It has been fixed.", "unclear"),
        ("Yesterday all users could not log in", "unclear"),
        ("The system will be down for maintenance tonight", "unclear"),
        ("All users are locked out. It has not been fixed yet.", "critical"),
        ("The system has been down since yesterday", "critical"),
        ("What we had fixed yesterday is back: nobody can log in", "critical"),
    ],
)
def test_a_past_or_planned_outage_is_no_evidence(body: str, leaning: Leaning) -> None:
    """An outage that is over or planned is no evidence; one that continues or returned is."""
    assert read_claim("", body).leaning == leaning


@pytest.mark.parametrize(
    "body",
    [
        "If the system goes down, all users are locked out",
        "What happens if all users lose access?",
        "We are worried that data was exposed",
    ],
)
def test_a_supposition_is_no_evidence(body: str) -> None:
    """A possible problem is no evidence of a problem."""
    assert read_claim("", body).speaks_for == ()


def test_evidence_on_both_sides_is_unclear() -> None:
    """When the texts contradict each other, both are shown and the leaning is unclear."""
    reading = read_claim("All users are locked out", "One user cannot log in")
    assert criteria(reading) == {"login_blocked", "one_user_or_small_group"}
    assert reading.leaning == "unclear"


def test_an_affected_writer_is_no_evidence_against_a_claim() -> None:
    """The writer's own problem does not weaken a claim that everyone has it."""
    assert read_claim("", "Everyone is locked out. I get an error myself.").leaning == "critical"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Urgent!!! Call me back at once, this is business-critical",
        "Kein Benutzer kann sich anmelden, seit heute fr\u00fch steht alles still",
        "Plus aucun utilisateur ne peut se connecter depuis ce matin",
        "\u8ab0\u3082\u30ed\u30b0\u30a4\u30f3\u3067\u304d\u307e\u305b\u3093",
    ],
)
def test_a_text_without_evidence_is_unclear(body: str) -> None:
    """Urgency alone, and texts in other languages, are unclear."""
    assert read_claim("", body) == ClaimReading(speaks_for=(), speaks_against=(), leaning="unclear")


def test_a_reading_holds_positions_and_no_text() -> None:
    """The published reading has criteria and positions; sentences are looked up in the text."""
    subject, body = "Login", "Hello,\n  all users are locked out.\nThe logo is blurry. Thanks"
    reading = read_claim(subject, body)
    assert quoted(reading, subject, body) == ("all users are locked out.", "The logo is blurry.")
    assert json.loads(reading.model_dump_json())["speaks_for"] == [
        {"criterion": "login_blocked", "start": 15, "end": 40}
    ]


def test_an_earlier_message_is_not_the_claim() -> None:
    """Lines quoted from an earlier message are not read."""
    assert read_claim("Re: seats", "> all users are locked out\nThanks").speaks_for == ()


def test_evidence_is_bounded() -> None:
    """At most the first ten sentences are returned."""
    reading = read_claim("", "The system is down. " * 100)
    assert len(reading.speaks_for) == 10
    assert reading.leaning == "critical"


def test_rules_use_tags_that_exist() -> None:
    """Every tag in a rule is the tag of some phrase."""
    known = frozenset().union(*PHRASES.values(), {"domain", "asks_whether", "asks_what"})
    rules = (*RULES_FOR, *RULES_AGAINST)
    used = frozenset().union(*(tags for r in rules for tags in (*r.needs, r.unless)))
    assert used <= known


def processor_s() -> float:
    """Return the processor time of this process, which does not depend on other processes."""
    return getrusage(RUSAGE_SELF).ru_utime


@pytest.mark.parametrize(
    "part",
    [
        *("a", ".", ". ", "?", "'", "a.", "a'", "9", "\n", " ", "\n> ", "\u00b2", "no-", "x ("),
        *("not ", "all ", "hi, ", "is, ", "if not ", "users cannot log in. ", "\u0663 users "),
        "\x00\ud800\u0130",
    ],
)
def test_hostile_text_is_read_quickly(part: str) -> None:
    """No text raises an error or takes long, and all positions are within the text."""
    text = (part * HOSTILE_CHARACTERS)[:HOSTILE_CHARACTERS]
    began_s = processor_s()
    readings = [read_claim(subject, text) for subject in ("", text)]
    assert processor_s() - began_s < HOSTILE_PROCESSOR_S_MAX
    ends = [e.end for r in readings for e in (*r.speaks_for, *r.speaks_against)]
    assert all(end <= HOSTILE_CHARACTERS for end in ends)
