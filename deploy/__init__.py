"""Reads the settings, wires the objects, starts the processes; nothing imports it."""
