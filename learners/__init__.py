"""Event to example to gradient: cleaning, joiner, features, ranking model, training step. Pure."""
