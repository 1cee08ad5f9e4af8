"""What lies on disk: a run's folder, its checkpoints and their manifests, a draw's folder, the lock."""
