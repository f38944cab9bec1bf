"""Runs as files: archives, models, tables."""
