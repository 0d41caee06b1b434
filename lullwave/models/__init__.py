"""The models that users can choose from, their downloads, and how fast this machine would run them."""
