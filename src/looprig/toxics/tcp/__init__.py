"""Toxics for TCP, one file each; `toxic` is their base. Users import them from `looprig.toxics`."""
