"""All SQL of intake, a module for each aggregate."""
