"""Text-to-audio pipelines of the library diffusers as an engine: clips, and stations of clips that are crossfaded."""
