"""What a run tells TensorBoard."""
