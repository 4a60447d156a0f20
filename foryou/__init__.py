"""The front door: command line, settings, local services."""
