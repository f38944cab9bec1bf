"""The training loop: a `RunConfig` in, reports out."""
