"""The full-screen browser. Only `custctl browse` imports Textual, and only the modules of screens need it."""
