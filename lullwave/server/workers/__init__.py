"""Worker processes for private streams: engines that render them, and outputs that master and encode them."""
