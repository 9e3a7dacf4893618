"""What happens between the bot's loops."""
