"""REST: from a request to its answer."""
