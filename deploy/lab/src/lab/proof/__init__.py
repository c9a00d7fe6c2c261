"""Proves from Kafka and PostgreSQL alone that nothing was lost or doubled."""
