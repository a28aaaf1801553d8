//! Finding faults in the blobs of an epoch.
