"""Whose word counts on a request's language: the sender's, the text's, the account's, or none."""

import random
from collections.abc import Collection
from typing import Final

import pytest
from pydantic import ValidationError

from intake.domain.language import decide as decide_by
from shared.events import LanguageDecision

GERMAN: Final = "Seit heute Morgen kann sich niemand in unserer Firma anmelden."
HOSTILE_CHARACTERS: Final = 100_000


def decide(
    subject: str,
    body: str = "",
    *,
    tag: str | None = None,
    account: str | None = None,
    served: Collection[str] = (),
) -> LanguageDecision:
    """Decide with what matters to a rule."""
    return decide_by(tag=tag, subject=subject, body=body, account_language=account, served=served)


def test_the_sender_knows_best() -> None:
    """A tag is taken as it is, region and all, whatever the text and the account say."""
    decision = decide(GERMAN, tag="fr-CA", account="nl")
    assert (decision.language, decision.by) == ("fr-CA", "sender")
    assert decision.confidence is None


@pytest.mark.parametrize("tag", [None, "", "und"])
def test_an_empty_tag_says_nothing(tag: str | None) -> None:
    """Where the sender names no language, the text is read."""
    assert decide(GERMAN, tag=tag).by == "detected"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", GERMAN),
        ("en", "Since this morning nobody in our company has been able to log in."),
        ("ja", "今朝から全社員がログインできません"),
        ("ko", "오늘 아침부터 전 직원이 로그인할 수 없습니다"),
        ("nb", "Siden i morges har ingen i firmaet vårt kunnet logge seg inn."),
        ("pt", "Desde esta manhã ninguém na nossa empresa consegue iniciar sessão."),
        ("zh", "从今天早上开始所有员工都无法登录系统"),
    ],
)
def test_a_sentence_is_enough(language: str, text: str) -> None:
    """One sentence, in subject or body, outweighs the account's language, and says how surely."""
    for decision in (decide(text, account="it"), decide("", text, account="it")):
        assert (decision.language, decision.by) == (language, "detected")
        assert decision.confidence is not None
        assert 0.7 <= decision.confidence <= 1
        assert decision.note == "Read from the text."


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("", "There is no text to read"),
        ("4711 ?!", "There is no text to read"),
        ("Login", "The text does not show it surely"),
        ("https://example.com/in-deutscher-sprache anna@example.com", "There is no text to read"),
        ("<name> <tel_num> <account_name>", "There is no text to read"),
        ("Nosso servidor caiu", "The text does not show it surely"),
        ("9bFlIkpYt5HfavHYMD5hzcS7hsPRxCmQ2LwVx8NdJr0TzKfY3uGa", "The text is in no language"),
    ],
)
def test_where_the_text_says_too_little_the_account_counts(subject: str, why: str) -> None:
    """The account's language is taken, else English, and the note says so and why."""
    of_account, of_nobody = decide(subject, account="nl-BE"), decide(subject)
    assert of_account == LanguageDecision(
        language="nl-BE", by="account", note=f"{why}; the account's language is taken."
    )
    assert of_nobody == LanguageDecision(
        language="en", by="default", note=f"{why}; English is taken."
    )


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Rechnung falsch"),
        ("de", "Kein Login möglich"),
        ("en", "Login failed"),
        ("en", "Thanks"),
        ("fr", "Ça ne marche pas"),
        ("fr", "Toujours rien reçu"),
        ("ja", "ログイン"),
        ("pt", "Nosso servidor caiu"),
        ("pt", "Não funciona"),
    ],
)
def test_few_words_are_enough_among_the_languages_that_are_served(language: str, text: str) -> None:
    """Whatever the account's language is: two words are read among those of the roster."""
    served = ("de-AT", "fr", "ja", "pt-BR")
    for account in (None, "en", "fr-CH", "ja"):
        decision = decide(text, account=account, served=served)
        assert (decision.language, decision.by) == (language, "detected"), decision


@pytest.mark.parametrize("name", ["VPN", "HubSpot", "Slack", "Domain", "PDF Export", "Error 500"])
def test_a_name_is_in_no_language(name: str) -> None:
    """What is written alike in all languages is left to the account."""
    decision = decide(name, account="de", served=("de", "es", "fr", "it"))
    assert (decision.language, decision.by) == ("de", "account")


def test_the_account_does_not_outweigh_the_text() -> None:
    """A text in another served language is read as what it is, and so is a long one in any."""
    assert decide("Das ist falsch", account="nl", served=("de",)).language == "de"
    assert decide(GERMAN, account="nl", served=("fr",)).language == "de"


@pytest.mark.parametrize(("tag", "language"), [("no", "nb"), ("iw", "he"), ("cmn-Hans", "zh")])
def test_a_language_has_one_name(tag: str, language: str) -> None:
    """The roster may name it as it likes."""
    texts = {"nb": "Får ikke logget inn", "he": "לא עובד", "zh": "不能登录"}
    assert decide(texts[language], served=(tag, "da", "sv", "ja")).language == language


@pytest.mark.parametrize(
    "piece",
    ["a", "é", "漢", "😀", "\ud800", "\x00", " ", "@", "x@", "<", "www.", "https://a.example/b "],
)
def test_hostile_text_is_no_event(piece: str) -> None:
    """100,000 characters of one thing end in a decision about no language."""
    text = (piece * HOSTILE_CHARACTERS)[:HOSTILE_CHARACTERS]
    assert decide(text, text, account="nl").by == "account"


def test_noise_is_no_event() -> None:
    """100,000 characters of anything, surrogates included, end in a decision."""
    lots = random.Random(1)  # noqa: S311 - a fixed seed, no secret
    noise = "".join(map(chr, lots.choices(range(0x110000), k=HOSTILE_CHARACTERS)))
    assert decide(noise, noise, account="nl").language


def test_only_the_beginning_is_read() -> None:
    """What stands after the first 600 characters changes nothing: cost is bounded."""
    beginning = f"{GERMAN} " * 20
    assert decide("", beginning) == decide("", beginning + "I cannot log in. " * 5_000)


def test_a_decision_is_a_fact() -> None:
    """Nobody changes it afterwards."""
    decision = decide(GERMAN)
    with pytest.raises(ValidationError, match="frozen"):
        decision.language = "en"  # type: ignore[misc]
