"""The example responses of the OpenAPI document: a ticket's clocks, and its timeline."""

from typing import Any, Final

__all__ = ["CLOCKS", "TIMELINE"]

CLOCKS: Final[dict[str, Any]] = {
    "ticket_id": "ba46e115-c4bd-5ea1-8038-64621e16d204",
    "ticket": {
        "source": "app-form",
        "external_id": "A-1001",
        "account_id": "northwind",
        "channel": "email",
        "severity": "business_critical",
        "time_zone": "Europe/Berlin",
        "created_at": "2026-03-02T08:45:00Z",
        "policy": "71de4ddd1901",
    },
    "now": "2026-03-02T08:55:00Z",
    "clocks": [
        {
            "kind": "first_response",
            "started_by": "fcd7fc51-1c4f-50c3-be54-a3c77ad46c08",
            "promise_class": "guarantee",
            "exception": None,
            "severity": "business_critical",
            "state": "running",
            "cancelled_for": None,
            "rule": "super-admin-critical",
            "policy": "71de4ddd1901",
            "calendar": {"name": "always", "version": "always", "zone": "UTC"},
            "target_ms": 1800000,
            "started_at": "2026-03-02T08:45:00Z",
            "due_at": "2026-03-02T09:15:00Z",
            "settled_at": None,
            "as_of": "2026-03-02T08:55:00Z",
            "remaining": {"business_ms": 1200000, "wall_ms": 1200000},
            "used_ms": 600000,
            "paused": {"spans": [], "total_ms": 0},
            "spans": [
                {
                    "since": "2026-03-02T08:45:00Z",
                    "until": "2026-03-02T09:15:00Z",
                    "counts_ms": 1800000,
                }
            ],
            "warnings": [
                {"point": "50%", "at": "2026-03-02T09:00:00Z", "announced": False},
                {"point": "80%", "at": "2026-03-02T09:09:00Z", "announced": False},
            ],
            "broken": None,
            "retractions": 0,
            "breakdown": {"total_ms": 600000, "parts_ms": {"routing": 599980, "intake": 20}},
        }
    ],
}

TIMELINE: Final[dict[str, Any]] = {
    "ticket_id": "ba46e115-c4bd-5ea1-8038-64621e16d204",
    "ticket": {
        "source": "app-form",
        "external_id": "A-1001",
        "account_id": "northwind",
        "channel": "email",
        "severity": "business_critical",
        "time_zone": "Europe/Berlin",
        "created_at": "2026-03-02T08:45:00Z",
        "policy": "71de4ddd1901",
    },
    "now": "2026-03-02T09:03:00Z",
    "entries": [
        {
            "entry": "fact",
            "at": "2026-03-02T08:45:00Z",
            "learned_at": "2026-03-02T08:45:00.020000Z",
            "late": False,
            "unanswered": {},
            "until": None,
            "type": "premium.ticket.accepted.v1",
            "fact_id": "fcd7fc51-1c4f-50c3-be54-a3c77ad46c08",
            "event": {
                "ticket_id": "ba46e115-c4bd-5ea1-8038-64621e16d204",
                "source": "app-form",
                "external_id": "A-1001",
                "account_id": "northwind",
                "requester_id": "",
                "role": "super_admin",
                "channel": "email",
                "severity": "business_critical",
                "claimed_severity": "business_critical",
                "language": "en",
                "time_zone": "Europe/Berlin",
                "policy": "71de4ddd1901",
                "promises": [
                    {
                        "kind": "first_response",
                        "promise_class": "guarantee",
                        "target_s": 1800,
                        "calendar": "always",
                        "time_zone": "Europe/Berlin",
                        "due_at": "2026-03-02T09:15:00Z",
                        "rule": "super-admin-critical",
                    }
                ],
                "accepted_at": "2026-03-02T08:45:00.020000Z",
            },
            "source": "intake",
            "why": "promises run from the create date",
            "changes": [
                {
                    "kind": "first_response",
                    "started_by": "fcd7fc51-1c4f-50c3-be54-a3c77ad46c08",
                    "due_at": "2026-03-02T09:15:00Z",
                    "change": "started",
                    "target_ms": 1800000,
                }
            ],
        },
        {
            "entry": "time",
            "at": "2026-03-02T09:00:00Z",
            "learned_at": "2026-03-02T09:00:00Z",
            "late": False,
            "changes": [
                {
                    "kind": "first_response",
                    "started_by": "fcd7fc51-1c4f-50c3-be54-a3c77ad46c08",
                    "change": "warned",
                    "due_at": "2026-03-02T09:15:00Z",
                    "percent": 50,
                }
            ],
        },
        {
            "entry": "fact",
            "at": "2026-03-02T09:02:00Z",
            "learned_at": "2026-03-02T09:02:00.020000Z",
            "late": False,
            "unanswered": {},
            "until": None,
            "type": "premium.ticket.responded.v1",
            "fact_id": "fa1ac790-fc07-5220-926a-1f3edc22c12e",
            "event": {"ticket_id": "ba46e115-c4bd-5ea1-8038-64621e16d204"},
            "source": "intake",
            "why": "an answer settles every promise of a response",
            "changes": [
                {
                    "kind": "first_response",
                    "started_by": "fcd7fc51-1c4f-50c3-be54-a3c77ad46c08",
                    "due_at": "2026-03-02T09:15:00Z",
                    "change": "met",
                    "in_time": True,
                }
            ],
        },
    ],
}
