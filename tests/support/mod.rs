//! What the tests stand on: servers, programs, installations. Nothing here asserts what the product does.

pub(crate) mod aws;
pub(crate) mod aws_stub;
pub(crate) mod body;
pub(crate) mod certificates;
pub(crate) mod cloud;
pub(crate) mod lambda;
pub(crate) mod pgbouncer;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod readers;
pub(crate) mod real;
pub(crate) mod site;
pub(crate) mod source;
pub(crate) mod values;
