"""What every request passes before a route sees it: origin and token, size, address, prefix."""
