"""`qt-guard`."""
