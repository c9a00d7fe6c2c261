"""The published criteria of business-critical: phrases with tags, and rules over tags.

In a list of phrases `;` separates phrases, a space separates words, and `|` separates alternatives
of one word. Where several phrases match, the longest one counts and consumes its words: in
`not working`, which is a fault, the `not` does not negate what follows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from shared.events import Against, For

__all__ = [
    "CLAUSE_ENDS",
    "PHRASES",
    "PHRASE_WORDS_MAX",
    "RULES_AGAINST",
    "RULES_FOR",
    "CriticalityRule",
]

CLAUSE_ENDS: Final = frozenset(",;:()-\u2013\u2014") | {
    "but",
    "however",
    "although",
    "though",
    "while",
    "whereas",
    "and",
    "so",
    "because",
    "since",
    "after",
    "as",
}
"""What starts a new clause, where the effect of a negation or a supposition ends."""

_WORDS: Final[Mapping[str, str]] = {
    # Who is affected. `quantity` shortly before `people` means `everyone`, `few` means `narrow`.
    "quantity": "all; every; each; every|each single; all of|two|three|four|five; most; many; "
    "nearly|almost all; majority; whole; entire; any; hundreds; thousands; dozens; half; numerous; "
    "large|huge number|part|share; lots; lot",
    "few": "one; two; three; four; five; single; few; couple; some; several; certain; handful; "
    "another; only; just; particular; specific; individual; one|some of; all|every|no other; "
    "not all|every|each|many|most; subset; "
    "small|tiny|limited|low number|percentage|subset|group|portion|fraction|set|part; "
    "a portion|fraction|part of",
    "people": "user; users; people; person; employee; employees; staff; customer; customers; "
    "client; clients; agent; agents; colleague; colleagues; coworker; coworkers; member; members; "
    "editor; editors; author; authors; admin; admins; team; teams; department; departments; "
    "office; offices; location; locations; student; students; worker; workers; visitor; visitors; "
    "account; accounts; company; organization; organisation; business; workforce; region; regions; "
    "branch; branches; networks; machine; machines; computer; computers; partition; "
    "partitions; server; servers; repository; repositories; repos; requests; sites; portals",
    "group": "we; us; users; people; employees; staff; customers; clients; agents; colleagues; "
    "editors; authors; teams; our team|company|organization|organisation|business|office",
    "everyone": "everyone; everybody; widespread; worldwide; globally; across teams; we|us all; "
    "company|organization|organisation|system|team|site wide; all of us|them; "
    "across the company|board|organization|organisation|business; "
    "across all|several|multiple|many|our teams|departments|offices|regions|locations|sites; "
    "several|multiple|different|various teams|departments|offices|regions|countries|locations",
    "narrow": "everyone|everybody|anyone else; not everyone|everybody; a user|person|employee; "
    "only|just|for me|him|her; my|a|one colleague|coworker|assistant|manager|boss|teammate; "
    "the rest can|is|are; others can|are; one of our|the|my; "
    "a|the|my new user|employee|colleague; his|her password|account",
    "me": "i; my account|user|password|computer|laptop|browser|profile|phone; myself",
    "only": "only; just; solely",
    "no_subject": "nobody; noone; no one|user|users|customer|customers|employee|employees|team; "
    "none; none of; not one|a; not a|one single",
    "can": "can; could; able; manages; managed; has|have access",
    # What is affected.
    "system": "system; systems; site; sites; website; websites; service; services; platform; "
    "production; application; everything; database; databases; network; infrastructure; servers; "
    "software; product; instance; environment; gateway",
    "tool": "tool; tools; portal; portals; hub; cms; app; apps; dashboard; workspace; crm; inbox; "
    "system; systems; platform; application; service; services; site; website; software; product; "
    "account; instance",
    "login": "log|logging|logs|logged in|on|into; login; logins; sign|signing|signed in|on|into; "
    "signin; sso; single sign on; authenticate; authenticating; authentication",
    "access": "access; accessing; reach; reaching; open; opening; use; using; view; see; load; "
    "get|getting in|into|to; connect; connecting; enter; edit; publish",
    "content": "content; contents; page; pages; blog; blogs; article; articles; asset; assets; "
    "posts; entries; media; files; documents; images; repositories; templates",
    "data": "data; record; records; database; databases; contacts; content; files; documents; "
    "information; history; backup; backups; entries; credentials; passwords; pages; articles",
    "operations": "operations; business; production; orders; sales; payments; launch; release; "
    "campaign; checkout; pay; shipping; deliveries; work; everything",
    "operate": "process; ship; sell; bill; take; serve; fulfil; fulfill; launch; release; deliver; "
    "continue; accept; do; checkout; pay",
    # What is wrong.
    "unable": "can|could not; not able|possible|allowed|permitted to; unable|impossible to; "
    "no|not longer; no|not longer able to; fail|fails|failed|failing to; "
    "will|does|do|did not let|allow; prevented|blocked|barred from",
    "locked_out": "locked|shut out; no|without|lost|lose|losing|loses access; loss of access; "
    "access denied|refused|lost; denied access",
    "down": "down; offline; unreachable; unavailable; unavailability; inaccessible; unresponsive; "
    "unusable; crashed; dead; not reachable|responding|available|usable|accessible; "
    "degraded availability; stopped|stops working|responding; not work|working|load|loading; "
    "completely|totally|entirely broken; is|are|went|goes|been down|offline|unreachable; is|are "
    "currently|still|now|again|completely|totally down|offline|unreachable; went|going dark",
    "outage": "outage; outages; blackout; degraded|service availability|unavailability; "
    "total|complete failure; nothing works; nothing is working|loading|responding",
    "cut_off": "connectivity|connection issues|problems; no connection",
    "is_down": "is|are|went|goes|been down|offline|unreachable; "
    "is|are currently|still|now|again|completely|totally down|offline|unreachable",
    "fault": "error; errors; failing; fails; fail; failed; failure; failures; broken; breaks; "
    "crash; crashes; crashing; blank|white page|pages|screen; timeout; timeouts; timing|times out; "
    "not work|working|load|loading|open|opening|respond|start|display|show; trouble; bug; "
    "kicked|thrown out; stuck; frozen; freezes; hangs; hanging; disrupted; malfunction; wrong; "
    "problem; problems; issue; issues; rejected",
    "affected": "affected; affects; affecting; affect; impacted; impacts; impacting; suffers; "
    "suffering; happens to; hit; hits; experiencing",
    "stopped": "stopped; stop; stops; blocked; blocks; blocking; halted; halts; paralysed; "
    "paralyzed; suspended; at|to a|an halt|standstill|stop|end; at risk",
    "lost": "lost; lose; losing; wiped; erased; vanished; disappeared; corrupted; corrupt; "
    "destroyed; overwritten; exposed; leaked; stolen; unrecoverable; visible to others|anyone; "
    "visible to other|unauthorised|unauthorized",
    "gone": "gone; missing; deleted; removed; empty",
    "breach": "breach; breached; breaches; hacked; hackers; hacker; ransomware; malware; leak; "
    "compromised; data loss|leak|leakage|theft|exposure|corruption|breach; intruder; attackers; "
    "loss of data|records|content|contacts; security incident; unauthorised|unauthorized access",
    # What makes it minor.
    "minor": "minor; cosmetic; typo; typos; misspelled; misaligned; alignment; spacing; padding; "
    "the|our|wrong|button font|fonts|colour|colours|color|colors|icon|icons|logo; pixel; pixels; "
    "tooltip; slightly; glitch; little bug|issue|problem|thing; small thing; "
    "not urgent|critical|blocking; no rush|hurry; low priority; nice to have; wording; "
    "looks odd|strange|wrong; blurry; minor service outage; "
    "minor|small|brief|short outage|issue|problem|bug; intermittent; intermittently; sporadic; "
    "sporadically; occasional; occasionally",
    "slow": "slow; slowly; slower; slowness; latency; delay; delays; delayed; backlog; laggy; "
    "lagging; sluggish; degraded performance; slow|slowed|slows|slowing down",
    # What is only asked.
    "question": "how do|can|could|should|would i|we; how to; is there a|any way; quick question; "
    "a|one|another question; question about|on; wondering if|how|whether|what|why; "
    "like|want|need to know|understand; would like to know|understand; is it possible to; "
    "can|could you explain|tell|clarify|advise",
    "information": "information about|on; more information|info; info about|on; "
    "the|your documentation; feature request; request for; configure; configuring; set|setting up; "
    "change the|our setting|settings|configuration|name|address|plan; pricing; "
    "invoices; an|the|our invoice; quote for; would like|love to|you; "
    "please|kindly add|enable|activate|configure|send; "
    "want to add|change|enable|upgrade|use|update|connect|export|import|buy|order; "
    "can|could you add|enable|activate|configure|send|change; training for|on|session; "
    "upgrade our|my|to; add a|another|new user|seat|domain; new user|seat|feature; looking to|for",
    "asks": "is; are; do; does; did; has; have; had; will; would; should",
    "wh": "how; what; which; when; where; who; can; could; may",
    "greeting": "hi; hello; hey; dear; good",
    # When it happened.
    "over": "is|are|was|were|been|now|already|got|issue|problem|outage "
    "resolved|fixed|solved|restored|recovered; have|has recovered|resolved; "
    "is|are|was|were|been|now fully|all|completely resolved|fixed|solved|restored; "
    "works|work|working again; works now; is|are|was|came|now back up|online; back to normal; "
    "no longer down|affected; operating|operational normally; is|are|now fine|ok|okay",
    "past": "yesterday; last week|month|night|year; ago; earlier today; previously; in the past",
    "were": "was; were; had; did; could; could not",
    "still": "still; now; currently; ongoing; again; is; are; remains; can",
    "planned": "maintenance; planned|scheduled downtime; expect; expecting; "
    "will|to be down|offline|unavailable",
    # Negation, supposition, and phrases that mean nothing for a claim.
    "negation": "not; no; never; without; neither; nor; nothing; hardly; not any|the",
    "supposed": "if; unless; until; once; whether; in case; what happens; suppose; would; might; "
    "to avoid|prevent; risk of; worried|afraid|fear|concerned; make sure; ensure",
    "ignored": "not only|just; do|does|did not know|understand; no idea|clue|matter; not sure; "
    "drop|scroll|scrolling|write|wrote|note|noted|track|tracked|tracking|narrow|narrowed|count|"
    "calm|close|closed|bring|bringing down; down the|to|below; business critical; can|could you; "
    "no response|reply|answer|workaround; not yet; all the|day|this|that; "
    "some kind|sort; first|above of all; at once; two factor; memory leak; "
    "breach of contract; work|works with|on|for; working on; "
    "let us|me know; contact|help|tell|for|with us; since yesterday|last; let us",
}


@dataclass(frozen=True, slots=True)
class CriticalityRule[C]:
    """A sentence meets ``criterion`` with a tag of each set in ``needs`` and none of ``unless``."""

    criterion: C
    needs: tuple[frozenset[str], ...]
    unless: frozenset[str]


def _rules[C](table: Mapping[C, str]) -> tuple[CriticalityRule[C], ...]:
    """Parse rules: `;` separates rules, `+` separates needs, `-` precedes what must be absent."""
    return tuple(
        _rule(criterion, line) for criterion in table for line in table[criterion].split(";")
    )


def _rule[C](criterion: C, line: str) -> CriticalityRule[C]:
    needs, _, unless = line.partition(" - ")
    tags = tuple(frozenset(need.strip().split("|")) for need in needs.split("+"))
    return CriticalityRule(criterion, tags, frozenset(unless.split()))


RULES_FOR: Final[tuple[CriticalityRule[For], ...]] = _rules(
    {
        "login_blocked": "everyone|group + unable + login - narrow;"
        "everyone|group + locked_out - narrow content;"
        "everyone + login + fault|down - narrow;"
        "everyone + unable + access|tool - narrow content;"
        "group + unable + access + tool|domain - narrow;"
        "no_subject + can + login|access|tool",
        "outage": "outage - narrow minor planned;"
        "system|tool|domain + down - narrow minor planned;"
        "everyone|group + down - narrow minor planned;"
        "is_down - narrow me minor planned operations;"
        "cut_off + everyone|group|system|domain - narrow me minor planned;"
        "everyone + fault|affected - narrow minor slow planned;"
        "stopped + operations - narrow planned;"
        "unable + operate + operations - narrow me",
        "content_access_lost": "everyone + unable|locked_out + content - narrow;"
        "everyone + content + fault|down|gone - narrow minor;"
        "group + unable|locked_out + content + quantity - narrow;"
        "no_subject + can + content",
        "data_loss_or_breach": "breach; data + lost; data + gone + quantity|everyone - narrow",
    }
)
"""The published examples of critical. Questions, and what is over, are not evidence for them."""

RULES_AGAINST: Final[tuple[CriticalityRule[Against], ...]] = _rules(
    {
        "one_user_or_small_group": "narrow + only|login|slow|lost;"
        "narrow + unable|locked_out|down|fault|affected|outage;"
        " me + unable|locked_out|fault|down - everyone group no_subject",
        "question": "asks_whether; asks_what|question - unable locked_out down outage breach lost",
        "minor_or_cosmetic": "minor; slow - down unable outage",
        "information_or_configuration": "information"
        " - unable locked_out down outage breach lost fault stopped",
    }
)
"""The published examples of not critical."""


def _phrases() -> Iterator[tuple[tuple[str, ...], str]]:
    """Expand the alternatives of every phrase."""
    for tag, text in _WORDS.items():
        for phrase in text.split(";"):
            for words in product(*(word.split("|") for word in phrase.split())):
                yield words, tag


def _by_words() -> Mapping[tuple[str, ...], frozenset[str]]:
    tags: dict[tuple[str, ...], frozenset[str]] = {}
    for words, tag in _phrases():
        tags[words] = tags.get(words, frozenset()) | {tag}
    return tags


PHRASES: Final = _by_words()
"""The tags of each phrase."""
PHRASE_WORDS_MAX: Final = max(map(len, PHRASES))
