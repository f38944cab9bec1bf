"""Devices, threads and precision of this machine."""
