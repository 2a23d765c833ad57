"""System calls live here and nowhere else."""
