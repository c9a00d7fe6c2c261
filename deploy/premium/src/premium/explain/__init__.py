"""What became of a ticket's promises, told to people."""
