"""The machine's disk and processes: blobs, atomic replacement, child processes."""
