"""Phantoms: synthetic images, drawn by rules that are known. They say PHANTOM wherever shown."""
