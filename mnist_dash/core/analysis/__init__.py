"""From weights and probabilities to metrics, tests, embeddings and advice."""
