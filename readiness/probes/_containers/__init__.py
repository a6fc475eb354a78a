"""What files that describe containers have in common, in whatever format they are written."""
