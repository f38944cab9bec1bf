"""Waiting for runs and studies: what works on them is started, and how far they are is shown."""
