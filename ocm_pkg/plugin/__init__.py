"""The run-time manager of plugins."""
