"""The command line: ``main`` is the door, and every command is a module of its own, imported when it is used."""
