"""What runs while people listen: channels, their audience, connections and the queue of steering requests."""
