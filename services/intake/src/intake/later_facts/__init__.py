"""What is told of requests later: kept, announced for the ticket that it counts for, or refused.

A merge counts once both tickets are known; until then what is promised stays owed. A reply to a
ticket that was merged counts for the one that stays.
"""

from intake.later_facts.merges import settle
from intake.later_facts.taking import Told, again, take
from intake.store.later_facts import known

__all__ = ["Told", "again", "known", "settle", "take"]
