"""What tests share: a clock to turn by hand, builders, and real servers."""
