"""A believable day of premium requests, played through the running system."""
