"""Figures of one run and its network."""
