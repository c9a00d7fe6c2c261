"""What the pages of every service are made of: layout, sign-in, sessions, and a live stream."""
