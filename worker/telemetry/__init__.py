"""What every process says of itself, each in the same way: logs, metrics, and whose trace it is."""
