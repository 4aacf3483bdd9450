//! Generated tables cost no memory: the stand-in by itself, read by the raw driver.

use std::process::Stdio;

use futures_util::TryStreamExt;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, QueryItem};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_util::compat::TokioAsyncWriteCompatExt;

#[tokio::test(flavor = "multi_thread")]
async fn five_times_the_rows_need_no_more_memory() {
    let (few, many) = (peak_kib(200_000).await, peak_kib(1_000_000).await);
    assert!(many < few + few / 10, "peak memory in KiB: {few} for 200,000 rows, {many} for 1,000,000");
}

/// The peak memory of a stand-in with this many rows a table, once all rows of one have been read.
async fn peak_kib(rows: u64) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tds-stand-in"));
    command.args(["--port", "0", "--rows", &rows.to_string()]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let port: u16 = loop {
        let line = lines.next_line().await.unwrap().expect("the environment names the port");
        if let Some(port) = line.strip_prefix("export SQL_SERVER_MCTM_PORT=") {
            break port.trim_matches('\'').parse().unwrap();
        }
    };
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server("sync", "secret"));
    config.encryption(EncryptionLevel::NotSupported);
    config.packet_size(32_767);
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut client = Client::connect(config, socket.compat_write()).await.unwrap();
    let mut stream = client.simple_query("SELECT * FROM McTM.dbo.Customer").await.unwrap();
    let mut read = 0;
    while let Some(item) = stream.try_next().await.unwrap() {
        read += u64::from(matches!(item, QueryItem::Row(_)));
    }
    assert_eq!(read, rows);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
