"""Other async plugins: who runs what."""
