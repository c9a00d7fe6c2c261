"""The common parts of web pages: layout, sign-in, sessions, and the live stream."""
