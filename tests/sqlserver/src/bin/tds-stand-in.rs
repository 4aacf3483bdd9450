//! The stand-in alone: prints the environment to use and serves until a signal.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tds_stand_in::{StandIn, TlsMode};

/// Plays SQL Server on 127.0.0.1 with the four sample tables.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Rows per table.
    #[arg(long, default_value_t = 1000)]
    rows: u64,
    /// Share of rows whose values differ from the first state.
    #[arg(long, default_value_t = 0.0)]
    changed_percent: f64,
    /// Encryption to offer.
    #[arg(long, value_enum, default_value_t = Tls::Off)]
    tls: Tls,
    /// Login name.
    #[arg(long, default_value = "sync")]
    user: String,
    /// Its password.
    #[arg(long, default_value = "secret")]
    password: String,
    /// Where to write the certificate authority's certificate.
    #[arg(long)]
    ca_out: Option<PathBuf>,
    /// Print the T-SQL that makes the same tables on a real SQL Server, and stop.
    #[arg(long)]
    emit_sql: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tls {
    Off,
    LoginOnly,
    Full,
    Strict,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let tls = match arguments.tls {
        Tls::Off => TlsMode::Off,
        Tls::LoginOnly => TlsMode::LoginOnly,
        Tls::Full => TlsMode::Full,
        Tls::Strict => TlsMode::Strict,
    };
    let builder = StandIn::builder().port(arguments.port).tls(tls).login(&arguments.user, &arguments.password);
    let server = builder.sample_data(arguments.rows).start().await?;
    for (database, table) in [("McTM", "Customer"), ("McTM", "McModule"), ("VoipDB", "Customer"), ("VoipDB", "UserAgent")] {
        if let Some(table) = server.table(database, "dbo", table) {
            table.changed_percent(arguments.changed_percent).map_err(|error| error.message)?;
        }
    }
    if arguments.emit_sql {
        server.emit_sql(&mut std::io::stdout().lock())?;
        return Ok(());
    }
    if let Some(path) = &arguments.ca_out {
        std::fs::write(path, server.ca_pem())?;
    }
    for (name, value) in server.env() {
        println!("export {name}='{}'", value.replace('\'', "'\\''"));
    }
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminated.recv() => {}
    }
    Ok(())
}
