"""Proves from Kafka and PostgreSQL alone that nothing was lost and nothing doubled."""
