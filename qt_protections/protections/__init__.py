"""The guard's Freqtrade protections, one class a file.

Freqtrade executes each file by itself, as a second copy of the module: what they share with the
guard comes through the objects in their configuration, and all imports are absolute.
"""

from pathlib import Path

#: Folder Freqtrade's loader is pointed at.
FOLDER = Path(__file__).parent
