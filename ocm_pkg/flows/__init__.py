"""Sequences of services: what several verbs do together, for one command."""
