"""The pages in a headless Chromium: how soon they are seen and heard, and their pictures for the documentation."""
