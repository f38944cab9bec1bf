"""MNIST Dash: train, watch and understand networks on MNIST, with runs that survive whatever happens to the browser or the server."""

__version__ = "0.1.0"
