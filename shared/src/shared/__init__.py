"""Code that several services use: event contracts, delivery, rules of promises, service parts."""
