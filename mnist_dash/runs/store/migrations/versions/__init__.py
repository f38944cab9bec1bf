"""The steps, one a schema version."""
