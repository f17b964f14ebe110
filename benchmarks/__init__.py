"""What the app must reach, measured: `make bench`. Each figure is a ratio or a count taken in one run."""
