"""The command line: ``python -m trio_socketio``."""
