//! The command.
#![forbid(unsafe_code)]

#[tokio::main]
async fn main() {
    let code = tablesync::cli::run(tablesync::config::arguments()).await;
    // A name that is being looked up cannot be given up: the runtime would wait for it, however long that takes.
    std::process::exit(code.into())
}
