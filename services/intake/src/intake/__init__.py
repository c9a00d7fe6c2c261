"""Takes support requests from upstream systems and publishes what happened as facts."""
