"""Shells: people type, people click. No logic lives here."""
