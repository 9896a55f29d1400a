"""Making plugin binaries."""
