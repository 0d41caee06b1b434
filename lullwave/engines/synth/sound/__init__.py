"""Makes sound of written notes: instruments, effects, ambience and the renderer."""
