"""Notes over HTTP: add them, read them page by page, follow changes live. Notes may expire."""
