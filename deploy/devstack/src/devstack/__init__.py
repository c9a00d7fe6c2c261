"""The local stack: real PostgreSQL, Kafka, mail and the services, each a process."""
