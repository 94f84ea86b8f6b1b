"""Features as blocks of columns, tested one by one."""
