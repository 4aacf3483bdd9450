//! The command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(tablesync::cli::run(tablesync::config::arguments()).await)
}
