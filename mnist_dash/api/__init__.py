"""MNIST Dash from Python: what a notebook calls. `mnist_dash` itself gives these names, each imported when it is first used."""
