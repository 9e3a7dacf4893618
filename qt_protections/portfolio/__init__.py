"""What the account has, holds and may lose."""
