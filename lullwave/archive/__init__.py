"""What is kept on disk: clips and history."""
