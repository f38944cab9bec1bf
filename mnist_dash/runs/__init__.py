"""The life of a run across processes: store, queue, workers, trainers, artifacts, and what a person may do."""
