"""The language of a request: the sender's tag, else detected, else the account's, else English."""

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
    """Decide with defaults for what a test does not need."""
    return decide_by(tag=tag, subject=subject, body=body, account_language=account, served=served)


def test_the_senders_tag_counts_first() -> None:
    """The tag is used unchanged, with its region, whatever the text and the account are."""
    decision = decide(GERMAN, tag="fr-CA", account="nl")
    assert (decision.language, decision.by) == ("fr-CA", "sender")
    assert decision.confidence is None


@pytest.mark.parametrize("tag", [None, "", "und"])
def test_without_a_tag_the_language_is_detected(tag: str | None) -> None:
    """An empty tag, and the tag for an undetermined language, count as no tag."""
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
    """One sentence in subject or body outweighs the account's language; it has a confidence."""
    for decision in (decide(text, account="it"), decide("", text, account="it")):
        assert (decision.language, decision.by) == (language, "detected")
        assert decision.confidence is not None
        assert 0.7 <= decision.confidence <= 1
        assert decision.note == "Detected in the text."


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("", "There is no text to detect"),
        ("4711 ?!", "There is no text to detect"),
        ("Login", "The detection is not certain"),
        ("https://example.com/in-deutscher-sprache anna@example.com", "There is no text to detect"),
        ("<name> <tel_num> <account_name>", "There is no text to detect"),
        ("Nosso servidor caiu", "The detection is not certain"),
        ("9bFlIkpYt5HfavHYMD5hzcS7hsPRxCmQ2LwVx8NdJr0TzKfY3uGa", "The text is in no language"),
    ],
)
def test_an_uncertain_text_falls_back_to_the_account(subject: str, why: str) -> None:
    """The account's language is used, else English; the note gives the reason."""
    with_account, without = decide(subject, account="nl-BE"), decide(subject)
    assert with_account == LanguageDecision(
        language="nl-BE", by="account", note=f"{why}; the account's language is used."
    )
    assert without == LanguageDecision(language="en", by="default", note=f"{why}; English is used.")


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
def test_two_words_are_enough_for_a_language_of_the_roster(language: str, text: str) -> None:
    """A roster's language is detected from a few words, whatever the account's language is."""
    served = ("de-AT", "fr", "ja", "pt-BR")
    for account in (None, "en", "fr-CH", "ja"):
        decision = decide(text, account=account, served=served)
        assert (decision.language, decision.by) == (language, "detected"), decision


@pytest.mark.parametrize("name", ["VPN", "HubSpot", "Slack", "Domain", "PDF Export", "Error 500"])
def test_a_product_name_does_not_determine_the_language(name: str) -> None:
    """A word that is the same in all languages leaves the decision to the account."""
    decision = decide(name, account="de", served=("de", "es", "fr", "it"))
    assert (decision.language, decision.by) == ("de", "account")


def test_the_account_does_not_outweigh_the_text() -> None:
    """A text in another roster language is detected, and so is a long text in any language."""
    assert decide("Das ist falsch", account="nl", served=("de",)).language == "de"
    assert decide(GERMAN, account="nl", served=("fr",)).language == "de"


@pytest.mark.parametrize(("tag", "language"), [("no", "nb"), ("iw", "he"), ("cmn-Hans", "zh")])
def test_a_language_has_one_name(tag: str, language: str) -> None:
    """Other tags of a language on the roster mean the same language."""
    texts = {"nb": "Får ikke logget inn", "he": "לא עובד", "zh": "不能登录"}
    assert decide(texts[language], served=(tag, "da", "sv", "ja")).language == language


@pytest.mark.parametrize(
    "piece",
    ["a", "é", "漢", "😀", "\ud800", "\x00", " ", "@", "x@", "<", "www.", "https://a.example/b "],
)
def test_hostile_text_falls_back_to_the_account(piece: str) -> None:
    """100,000 repeated characters raise no error; no language is detected in them."""
    text = (piece * HOSTILE_CHARACTERS)[:HOSTILE_CHARACTERS]
    assert decide(text, text, account="nl").by == "account"


def test_random_text_raises_no_error() -> None:
    """100,000 random characters, including surrogates, get a decision."""
    generator = random.Random(1)  # noqa: S311 - a fixed seed, no secret
    noise = "".join(map(chr, generator.choices(range(0x110000), k=HOSTILE_CHARACTERS)))
    assert decide(noise, noise, account="nl").language


def test_only_the_beginning_is_read() -> None:
    """Text after the first 600 characters changes nothing: the cost is limited."""
    beginning = f"{GERMAN} " * 20
    assert decide("", beginning) == decide("", beginning + "I cannot log in. " * 5_000)


def test_a_decision_is_immutable() -> None:
    """Setting a field raises an error."""
    decision = decide(GERMAN)
    with pytest.raises(ValidationError, match="frozen"):
        decision.language = "en"  # type: ignore[misc]
