"""The operator's commands, as `premium.cli` reads them."""

from typing import Final

__all__ = ["SUBCOMMANDS"]

SUBCOMMANDS: Final = {
    "migrate": ("premium.migrate", "Bring a service's database up to date."),
    "roster": ("premium.roster.command", "List the specialists: languages, shifts, capacity."),
    "accounts": ("premium.accounts.command", "List the accounts that bought Premium Support."),
    "policy": ("premium.policy.command", "Check, preview and apply the promises."),
    "webhooks": ("premium.webhooks", "Accept webhooks of HubSpot and other help desks."),
    "keys": ("premium.keys", "Make, replace and revoke API keys."),
    "inbox": ("premium.inbox", "Make sign-in links for specialists and leads."),
    "explain": ("premium.explain.command", "Explain a ticket: promises, due times, assignments."),
    "watch": ("premium.watch.command", "Show breaches as they happen."),
    "produce": ("premium.records", "Send a record to a topic."),
    "consume": ("premium.records", "Show the records of a key."),
    "redrive": ("premium.redrive", "Try dead letters again."),
}
