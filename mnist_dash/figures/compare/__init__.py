"""Figures of several runs beside each other."""
