"""The peers, each a process that announces due clocks on Kafka."""
