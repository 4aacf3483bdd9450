//! The Lambda.
