"""The stages of a ranking request, one file each. Pure."""
