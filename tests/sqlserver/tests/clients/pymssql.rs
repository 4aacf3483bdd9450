//! PyPI's pymssql, in an environment of its own under the target folder.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tds_stand_in::TlsMode;

use crate::planted;

const VERSION: &str = "pymssql==2.4.6";

/// The interpreter, with pymssql installed on first use.
fn python() -> &'static PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pymssql-2.4.6");
        let python = home.join("bin/python");
        let works = |python: &PathBuf| Command::new(python).args(["-c", "import pymssql"]).status().is_ok_and(|status| status.success());
        if !works(&python) {
            let made = Command::new("python3").args(["-m", "venv"]).arg(&home).status();
            assert!(made.is_ok_and(|status| status.success()), "python3 with venv is needed: apt-get install python3-venv");
            let installed = Command::new(&python).args(["-m", "pip", "install", "-q", VERSION]).status();
            assert!(installed.is_ok_and(|status| status.success()), "{VERSION} could not be installed from PyPI");
        }
        python
    })
}

pub(crate) async fn run(port: u16, encryption: &str, script: &str) -> Vec<String> {
    let prologue = format!(
        "import pymssql\nc = pymssql.connect(server='127.0.0.1', port='{port}', user='sync', password='secret', \
         database='Types', encryption='{encryption}')\ncur = c.cursor()\n"
    );
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let output =
        tokio::process::Command::new(python).args(["-c", &(prologue + script)]).env("PYTHONIOENCODING", "utf-8").output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

const READ_ALL: &str =
    "cur.execute('SELECT * FROM dbo.Everything ORDER BY id')\nfor row in cur:\n  for value in row[1:]:\n    print(repr(value))\n";

#[tokio::test(flavor = "multi_thread")]
async fn pymssql_reads_every_type_over_every_encryption() {
    for (tls, encryption) in
        [(TlsMode::Off, "off"), (TlsMode::LoginOnly, "off"), (TlsMode::LoginOnly, "require"), (TlsMode::Full, "require")]
    {
        let server = planted::server(tls).await;
        let read = run(server.port(), encryption, READ_ALL).await;
        let columns = planted::all();
        let mut wrong = Vec::new();
        assert_eq!(read.len(), columns.len() * 3, "{tls:?}: {read:?}");
        for (at, column) in columns.iter().enumerate() {
            let found = [&read[at], &read[columns.len() + at], &read[columns.len() * 2 + at]];
            let expected = [column.python[0], column.python[1], "None"];
            if found != expected {
                wrong.push(format!("{} at {tls:?}: {found:?}, not {expected:?}", column.ty));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pymssql_sees_unique_keys_in_all_four_tables() {
    let server = planted::server(TlsMode::Off).await;
    let script = "for table, key in [('McTM.dbo.Customer', 'CD'), ('McTM.dbo.McModule', 'ID'), ('VoipDB.dbo.Customer', 'Cd'), ('VoipDB.dbo.UserAgent', 'Id')]:\n  \
        cur.execute('SELECT ' + key + ', * FROM ' + table + ' WHERE ' + key + ' IS NOT NULL AND 1 = %s', (1,))\n  print(len(set(row[0] for row in cur.fetchall())))\n";
    assert_eq!(run(server.port(), "off", script).await, ["2500"; 4]);
}
