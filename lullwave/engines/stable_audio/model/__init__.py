"""The networks of a Stable Audio 3 checkpoint: loading, text states, denoiser, autoencoder."""
