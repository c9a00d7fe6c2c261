"""The operator's command, and the local stack of real servers."""
