"""Where artifacts lie: a folder; whether it is the one that the database means."""
