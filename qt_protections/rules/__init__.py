"""Pure decisions: prices and numbers in, a verdict out. Nothing here knows Freqtrade."""
