"""What a person may do to studies, and how much of it."""
