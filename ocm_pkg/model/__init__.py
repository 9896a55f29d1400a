"""OCM documents and rules; pure: no files, sockets, processes, threads, clock or environment."""
