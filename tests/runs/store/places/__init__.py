"""Places of artifacts."""
