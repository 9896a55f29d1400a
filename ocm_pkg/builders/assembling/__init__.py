"""Collects and compiles the modules of a plugin for a platform that isn't here.

A program of its own, copied to where it runs, and run by a Python of the version that the plugin
will have. It needs the standard library alone, and runs nothing of what it collects.
"""
