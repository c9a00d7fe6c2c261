"""Tells people: mails and callback alerts, each once."""
