"""Builders: programs that make the binary of one target, behind ``ports.Builder``."""
