//! The Lambda function.
#![forbid(unsafe_code)]

use tablesync::config::Env;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    tablesync::lambda::run(Env::from_process()?).await
}
