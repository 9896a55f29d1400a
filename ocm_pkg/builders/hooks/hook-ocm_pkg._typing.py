"""PyInstaller hook: ``typing_extensions`` is read by type checkers alone, and brings asyncio."""  # noqa: INP001

excludedimports = ["typing_extensions"]
