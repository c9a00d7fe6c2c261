"""The use cases: each is one transaction that loads, decides, saves and announces."""
