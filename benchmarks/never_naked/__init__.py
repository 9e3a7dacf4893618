"""The campaigns that show what stands naked, for how long, and why. See docs/never-naked.md."""
