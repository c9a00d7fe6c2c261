"""The roster from a file: who answers, in which languages, when, and how much at once."""
