"""The networks of Riffusion: weights, LoRA, loops, text encoder, OpenVINO."""
