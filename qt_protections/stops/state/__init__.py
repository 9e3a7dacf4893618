"""What is known of each pair."""
