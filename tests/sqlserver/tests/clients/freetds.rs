//! Debian's FreeTDS tools: `tsql` and `freebcp`.

use std::process::Stdio;

use tds_stand_in::{StandIn, TlsMode};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::planted;

const MISSING: &str = "FreeTDS's tools are needed: apt-get install freetds-bin";

pub(crate) async fn tsql(server: &StandIn, sql: &str) -> String {
    let mut command = Command::new("tsql");
    command.args(["-H", "127.0.0.1", "-p", &server.port().to_string(), "-U", "sync", "-P", "secret", "-o", "q"]);
    let mut child =
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(MISSING);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{sql}\ngo\n").as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn freebcp_reads_every_type() {
    let server = planted::server(TlsMode::Off).await;
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("everything-{}.bcp", server.port()));
    let conf = file.with_extension("conf");
    let text =
        format!("[standin]\nhost = 127.0.0.1\nport = {}\ntds version = 7.4\nclient charset = UTF-8\ntext size = 1000000\n", server.port());
    std::fs::write(&conf, text).unwrap();
    let mut command = Command::new("freebcp");
    command.args(["Types.dbo.Everything", "out"]).arg(&file);
    command.args(["-c", "-t", "|", "-S", "standin", "-U", "sync", "-P", "secret"]);
    let output = command.env("LC_ALL", "C.UTF-8").env("FREETDSCONF", &conf).output().await.expect(MISSING);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(std::fs::read(&file).unwrap()).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').collect()).collect();
    assert_eq!(rows.len(), 3);
    let mut wrong = Vec::new();
    for (at, column) in planted::all().iter().enumerate() {
        let read = [rows[0][at + 1], rows[1][at + 1], rows[2][at + 1]];
        // An empty value is a NUL byte in such a file, nothing at all is NULL.
        let low = if column.freetds[0].is_empty() { "\0" } else { column.freetds[0] };
        let expected = [low, column.freetds[1], ""];
        if read != expected {
            wrong.push(format!("{}: {read:?}, not {expected:?}", column.ty));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
pub(crate) async fn tsql_is_told_what_is_wrong() {
    let server = planted::server(TlsMode::LoginOnly).await;
    for (sql, number) in [
        ("bogus", "Msg 102"),
        ("SELECT * FROM dbo.Nowhere", "Msg 208"),
        ("SELECT nothing FROM McTM.dbo.Customer", "Msg 207"),
        ("USE Nowhere", "Msg 911"),
        ("EXEC sp_nothing", "Msg 2812"),
        ("SELECT 1 / 0", "Msg 8134"),
        ("SELECT CAST('x' AS int)", "Msg 245"),
        ("SELECT CAST(300 AS tinyint)", "Msg 8115"),
        ("SELECT NO_SUCH_FUNCTION(1)", "Msg 195"),
        ("COMMIT TRAN", "Msg 3902"),
    ] {
        let said = tsql(&server, sql).await;
        assert!(said.contains(number), "{sql}: {said}");
    }
}
