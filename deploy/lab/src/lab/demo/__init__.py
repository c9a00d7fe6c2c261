"""A simulated day of premium requests on the running system."""
