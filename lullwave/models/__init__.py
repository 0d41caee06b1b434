"""The models that users can choose from, and how fast this machine would run them."""
