"""What services run on: Kafka, PostgreSQL, HTTP, processes."""
