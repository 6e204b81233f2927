"""Find the memories that matter for a request."""
