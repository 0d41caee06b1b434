"""MusicGen: many endless, steerable songs on one loaded model (extra ``ai``)."""
