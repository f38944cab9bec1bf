"""Input of configurations and studies: drafts, fields, editors."""
