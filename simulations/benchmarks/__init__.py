"""Ratios from one run, medians, the machine's facts."""
