"""What the operator reads: log lines and the status file."""
