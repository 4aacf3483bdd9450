//! What AWS keeps for the product, and what it gets from it: secrets, configuration, reports.

mod canaries;
mod lists;
mod metrics;
mod objects;
mod reports;
mod secrets;

use crate::support::aws::Aws;
use crate::support::site::Site;
use crate::support::source::Source;

/// An installation whose environment points to `aws`.
async fn site(aws: &Aws) -> Site {
    let mut site = Site::over(Source::sample(20).await).await;
    pointed(&mut site, &aws.env());
    site
}

/// Sets variables.
fn pointed(site: &mut Site, env: &[(String, String)]) {
    for (name, value) in env {
        site.set(name, value);
    }
}
