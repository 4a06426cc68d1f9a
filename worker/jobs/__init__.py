"""The contract between web and worker: jobs, their store, their blobs, their queue."""
