"""What `serving.py` is made of: requests and their right answers, the load generator, servers as processes."""
