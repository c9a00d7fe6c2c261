"""Measures how soon an infeasible promise is published, with many open tickets."""
