"""The commands of ``lullwave``, one module each; a module is imported when its command runs."""
