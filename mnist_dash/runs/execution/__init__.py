"""The processes: workers, trainers, the supervisor, the analyst, and checks of them all."""
