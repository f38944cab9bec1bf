"""What a person may do to runs: pages and commands act through these functions."""
