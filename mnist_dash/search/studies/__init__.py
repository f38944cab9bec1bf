"""Studies and trials as they are stored, and what is read off them."""
