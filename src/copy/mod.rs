//! The COPY format.
