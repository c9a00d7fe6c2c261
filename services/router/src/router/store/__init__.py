"""All SQL of router, a module for each aggregate."""
