"""Sign-in links into the inbox, and who may have one."""
