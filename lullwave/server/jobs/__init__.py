"""The jobs of the Studio: tasks with fields, a bounded queue, and results kept on disk for their visitors."""
