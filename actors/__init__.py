"""Ray actors, and the adapters to NATS, the store and files."""
