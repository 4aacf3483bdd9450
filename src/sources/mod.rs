//! Where rows come from. Each source turns its rows into COPY buffers; none knows the target.

pub mod sqlserver;
