"""What every room needs and none owns: errors, files, units, signals."""
