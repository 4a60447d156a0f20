"""The ranking request: pipeline, replica, content index, HTTP."""
