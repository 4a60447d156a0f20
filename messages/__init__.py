"""What the parts say to each other: events, impressions, examples, updates, and their encoding.

Everything above depends on this room and it depends on nothing of the project.
"""
