"""Figures of a study and its trials."""
