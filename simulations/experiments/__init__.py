"""Experiments about the system's own promises, redone with intervals."""
