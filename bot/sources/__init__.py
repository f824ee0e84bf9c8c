"""Readers of alert sources: Kafka brokers (Hopskotch, GCN) and files; payloads out, acknowledgements in."""
