"""The operator's command: works against any deployment, by a profile."""
