"""What the records stand for: images, subvolumes, groups, and what Kubernetes holds of them.

Everything here reads only.
"""
