"""The use cases: each loads, decides, saves and announces in its caller's transaction."""
