"""Figures that several parts of the product draw."""
