"""Test helpers: builders of events, and fixtures with real servers."""
