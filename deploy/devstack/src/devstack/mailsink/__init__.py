"""A mail server for one machine: takes every mail, shows it on a page, delivers none."""
