"""Models of what was announced, and its words and images: pure, without clients, clocks or disks."""
