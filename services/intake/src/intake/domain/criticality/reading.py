"""Finds the sentences of a claim's text that meet the published criteria, for and against it.

English only: for a text without English words the leaning is `unclear`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from intake.domain.criticality.rules import (
    CLAUSE_ENDS,
    PHRASE_WORDS_MAX,
    PHRASES,
    RULES_AGAINST,
    RULES_FOR,
    CriticalityRule,
)
from shared.events import Against, ClaimReading, Evidence, For, Leaning

__all__ = ["quoted", "read_claim"]

READ_CHARACTERS_MAX: Final = 10_000
"""Later text is not read: a claim describes the problem early."""
EVIDENCE_MAX: Final = 10
"""How many sentences are returned for each side: the first ones."""
_COUNTED_WORDS_MAX: Final = 4
"""How many words before a noun its quantity may be, as in "all of our remote users"."""

# These patterns cannot backtrack: the repeated character classes of each are disjoint.
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s)|\n")
_TOKEN: Final = re.compile(r"[^\W_]+(?:[.'][^\W_]+)*|[,;:()\u2013\u2014]|(?<=\s)-(?=\s)")
_DOMAIN: Final = re.compile(r"\.(?:com|org|net|io|co|eu|de|fr|uk)\Z")

_CONTRACTIONS: Final = {
    "cannot": ("can", "not"),
    "cant": ("can", "not"),
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "wont": ("will", "not"),
    "dont": ("do", "not"),
    "doesnt": ("does", "not"),
    "isnt": ("is", "not"),
    "arent": ("are", "not"),
    "couldnt": ("could", "not"),
}
_SUFFIXES: Final = {"n't": "not", "'re": "are", "'ve": "have", "'s": "is", "'m": "am"}
_DENIABLE: Final = frozenset(
    {
        "locked_out",
        "unable",
        "down",
        "is_down",
        "cut_off",
        "outage",
        "fault",
        "affected",
        "stopped",
        "lost",
        "gone",
        "breach",
        "login",
        "minor",
        "slow",
        "planned",
        "over",
    }
)
"""Tags that a preceding negation or supposition cancels. Who is affected is not cancelled."""
_WEAK: Final = frozenset({"me", "slow"})
"""Tags that are no evidence against a claim that has evidence for it: its writer is affected."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int
    tags: frozenset[str]


def read_claim(subject: str, body: str) -> ClaimReading:
    """Compare a claim's text with the published criteria; this decides nothing, moves no clock.

    The email form alone starts the business-critical clock, and a specialist confirms or
    reclassifies. The result only shows the specialist which sentences to read.
    """
    sentences = tuple(_sentences(f"{subject}\n{body[:READ_CHARACTERS_MAX]}"[:READ_CHARACTERS_MAX]))
    speaks_for = _evidence(RULES_FOR, _not_over(sentences), frozenset())
    speaks_against = _evidence(RULES_AGAINST, sentences, _WEAK if speaks_for else frozenset())
    return ClaimReading(
        speaks_for=speaks_for[:EVIDENCE_MAX],
        speaks_against=speaks_against[:EVIDENCE_MAX],
        leaning=_leaning(speaks_for, speaks_against),
    )


def quoted(reading: ClaimReading, subject: str, body: str) -> tuple[str, ...]:
    """Return the text of the sentences that are evidence, those for the claim first."""
    text = f"{subject}\n{body}"
    return tuple(text[e.start : e.end] for e in (*reading.speaks_for, *reading.speaks_against))


def _leaning(speaks_for: Sequence[Evidence], speaks_against: Sequence[Evidence]) -> Leaning:
    """Return the leaning; `unclear` with evidence on both sides, or on neither.

    A question or a request for information is no evidence against a claim that has evidence for it.
    """
    against = {evidence.criterion for evidence in speaks_against}
    if not speaks_for:
        return "not_critical" if against else "unclear"
    return "unclear" if against & {"one_user_or_small_group", "minor_or_cosmetic"} else "critical"


def _evidence[C: (For, Against)](
    rules: Sequence[CriticalityRule[C]], sentences: Iterable[_Sentence], without: frozenset[str]
) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(criterion=criterion, start=sentence.start, end=sentence.end)
        for sentence in sentences
        for criterion in dict.fromkeys(_criteria_met(rules, sentence.tags - without))
    )


def _criteria_met[C](rules: Iterable[CriticalityRule[C]], tags: frozenset[str]) -> Iterator[C]:
    for rule in rules:
        if all(need & tags for need in rule.needs) and not rule.unless & tags:
            yield rule.criterion


def _not_over(sentences: Sequence[_Sentence]) -> Iterator[_Sentence]:
    """Leave out what precedes "it is over", what is past, and what is only asked or supposed."""
    last_over = max((s.start for s in sentences if "over" in s.tags), default=0)
    for sentence in sentences:
        is_past = {"past", "were"} <= sentence.tags and "still" not in sentence.tags
        is_unasserted = sentence.tags & {"asks_whether", "only_if"}
        if sentence.start >= last_over and not is_past and not is_unasserted:
            yield sentence


def _sentences(text: str) -> Iterator[_Sentence]:
    """Split a text at ends of lines and sentences; skip lines quoted from an earlier message."""
    start = 0
    for end in (*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)):
        sentence = text[start:end]
        first = end - len(sentence.lstrip())
        if sentence.strip() and not sentence.lstrip().startswith(">"):
            yield _Sentence(first, first + len(sentence.strip()), _tags_of(sentence.strip()))
        start = end


def _tags_of(sentence: str) -> frozenset[str]:
    tokens = tuple(_tokens(sentence))
    tags = _collect(_matches(tokens))
    if tokens and tokens[0] == "if":
        tags |= {"only_if"}
    return tags | _asked(tokens) if sentence.endswith("?") else tags


def _tokens(sentence: str) -> Iterator[str]:
    """Split a sentence into lower-case words and punctuation; write contractions in full."""
    for token in _TOKEN.findall(sentence.lower().replace("\u2019", "'")):
        stem, suffix = _split(token)
        yield from _CONTRACTIONS.get(token, (stem, suffix) if suffix else (stem,))


def _split(token: str) -> tuple[str, str | None]:
    for suffix, word in _SUFFIXES.items():
        if token.endswith(suffix):
            return token.removesuffix(suffix), word
    return token, None


def _matches(tokens: Sequence[str]) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield the position and tags of each phrase, from left to right; the longest phrase counts."""
    at = 0
    while at < len(tokens):
        length, tags = _longest(tokens, at)
        yield at, tags
        at += length


def _longest(tokens: Sequence[str], at: int) -> tuple[int, frozenset[str]]:
    for length in range(PHRASE_WORDS_MAX, 0, -1):
        tags = PHRASES.get(tuple(tokens[at : at + length]))
        if tags is not None:
            return min(length, len(tokens) - at), tags
    return 1, _tags_of_word(tokens[at])


def _tags_of_word(word: str) -> frozenset[str]:
    """Tag a word that is in no phrase: clause end, number (one digit: `few`), web domain."""
    if word in CLAUSE_ENDS:
        return frozenset({"clause_end"})
    if word.isdecimal():
        return frozenset({"few" if len(word) == 1 else "quantity"})
    return frozenset({"domain"}) if _DOMAIN.search(word) else frozenset()


def _collect(matches: Iterable[tuple[int, frozenset[str]]]) -> frozenset[str]:
    """Collect the asserted tags: without those that are negated, supposed or over."""
    collected: set[str] = set()
    denied = False
    counted: tuple[int, str] | None = None
    for at, found in matches:
        tags = found
        if tags & {"clause_end", "can"}:
            denied = False
        if denied:
            tags -= _DENIABLE
        if "over" in tags:
            collected.clear()
        if tags & {"negation", "supposed", "no_subject"}:
            denied = True
        if tags & {"quantity", "few"}:
            counted = at, "everyone" if "quantity" in tags else "narrow"
        if "people" in tags and counted and at - counted[0] <= _COUNTED_WORDS_MAX:
            tags = (tags - {"group"}) | {counted[1]}
        collected |= tags
    return frozenset(collected)


def _asked(tokens: Sequence[str]) -> frozenset[str]:
    """Tag a question: whether it asks if something is so, or asks what, how or when."""
    first = _longest(tokens, 0)[1] if tokens else frozenset()
    if "greeting" in first and "," in tokens:
        return _asked(tokens[tokens.index(",") + 1 :])
    if "asks" in first:
        return frozenset({"asks_whether"})
    return frozenset({"asks_what"}) if "wh" in first else frozenset()
