"""All SQL of sla-monitor, a module for each aggregate."""
