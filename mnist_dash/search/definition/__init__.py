"""A study as a person writes it: space, objectives, sampler, pruner, budget."""
