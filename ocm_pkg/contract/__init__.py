"""What plugin manager and plugin say to each other; pure, standard library only."""
