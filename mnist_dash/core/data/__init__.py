"""From the archives to tensors: splits, features, augmentation, and what the data are like."""
