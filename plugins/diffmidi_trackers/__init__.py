"""A listener that tells experiment trackers (TensorBoard, Weights & Biases, MLflow, ...) what happens in a run."""
