"""The verbs of the tool: one verb, one file."""
