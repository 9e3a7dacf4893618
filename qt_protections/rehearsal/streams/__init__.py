"""The user data stream and the market streams."""
