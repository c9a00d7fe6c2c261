"""How soon it is told that nobody can keep a promise, with many tickets open."""
