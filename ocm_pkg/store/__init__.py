"""Where component versions live: one mapping, several stores."""
