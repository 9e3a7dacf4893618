"""What the journal tells of the protection of positions."""
