"""Generates documents from code: the table in README.md, api/ and reference/."""
