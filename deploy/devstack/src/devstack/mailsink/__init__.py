"""A mail server for development: accepts every mail, shows it on a page, delivers none."""
