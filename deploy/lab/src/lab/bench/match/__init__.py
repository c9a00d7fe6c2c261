"""How fast router matches, with a large roster and a long queue, beside bare transactions."""
