"""What is written from code: the table in README.md, and the contracts in api/."""
