"""Plans pieces: style, form, sections and players, and the changes after a steer."""
