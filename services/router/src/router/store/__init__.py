"""All SQL of router, one module for each aggregate."""
