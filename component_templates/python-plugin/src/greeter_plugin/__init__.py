"""The greeter plugin."""
