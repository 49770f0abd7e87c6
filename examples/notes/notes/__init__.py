"""Notes over HTTP: added, read page by page, followed live, and gone when they expire."""
