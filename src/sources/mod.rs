//! The sources.
