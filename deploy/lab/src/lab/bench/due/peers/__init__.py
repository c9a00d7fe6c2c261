"""The peers, each a process of its own that announces what falls due; all end at Kafka."""
