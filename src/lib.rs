//! daemonctl
