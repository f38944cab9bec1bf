"""From layer specifications to the torch network that trains."""
