"""What a kind is: a part of a configuration that says by itself all that the product needs to know of it."""
