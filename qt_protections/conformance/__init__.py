"""Whether a guarded strategy with every rule off trades like the plain one."""
