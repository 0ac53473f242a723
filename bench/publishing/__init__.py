"""Sends a built site to a folder, to GitHub Pages, or to the Hugging Face hub."""
