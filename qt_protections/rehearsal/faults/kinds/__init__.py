"""The kinds of fault, and the keys that each kind takes in a script."""
