"""Accounts of which something is new: their requests are judged again, some at a time."""
