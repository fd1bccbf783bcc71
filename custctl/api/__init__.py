"""The program as a library: what `custctl.open` returns. It knows no terminal, and the commands stand on it."""
