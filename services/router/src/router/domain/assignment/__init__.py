"""What one transaction knows of tickets and specialists, and decides."""
