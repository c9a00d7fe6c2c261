"""The operator's commands, as `premium.cli` reads them."""

from typing import Final

__all__ = ["SUBCOMMANDS"]

SUBCOMMANDS: Final = {
    "migrate": ("premium.migrate", "Bring databases up to date."),
    "roster": ("premium.roster.command", "Say who answers, when, and how much at once."),
    "accounts": ("premium.accounts.command", "Say who has bought Premium Support."),
    "policy": ("premium.policy.command", "Check, try and apply what is promised."),
    "webhooks": ("premium.webhooks.command", "Take what HubSpot or another help desk sends."),
    "keys": ("premium.keys.command", "Make, replace and end API keys."),
    "inbox": ("premium.inbox.command", "Make sign-in links for specialists and leads."),
    "explain": ("premium.explain.command", "Explain a ticket: promises, due times, assignments."),
    "watch": ("premium.watch.command", "Show breaches as they come."),
    "produce": ("premium.records", "Write a record to a topic."),
    "consume": ("premium.records", "Read the records of a key."),
    "redrive": ("premium.redrive", "Try dead letters again."),
}
