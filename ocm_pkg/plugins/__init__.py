"""The project's own plugin programs."""
