"""The program as a library: what `custctl.open` returns. It uses no terminal; the commands are built on it."""
