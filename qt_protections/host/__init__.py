"""What of Freqtrade the guard stands on."""
