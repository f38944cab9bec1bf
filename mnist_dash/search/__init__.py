"""Hyperparameter searches: spaces, studies, their files, and the process that advances them. The only home of Optuna."""
