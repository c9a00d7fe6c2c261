"""Sign-in links into the inbox."""
