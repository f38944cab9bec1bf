"""`RunConfig` and its parts: what decides the result of a run. No torch."""
