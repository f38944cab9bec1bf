"""What advances studies: sampling, pruning, the study runner. Optuna is asked here."""
