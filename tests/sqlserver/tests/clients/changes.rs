//! What writers do while others read: rowversions, Change Tracking, transactions that commit late, and the clock.

use tds_stand_in::{Fault, IndexDef, SqlError, StandIn, TableDef, TableHandle, TlsMode, Value};
use tiberius::{ColumnData, EncryptionLevel};

use crate::expressions::Typed;
use crate::tiberius::{Connection, connect, rows};
use crate::{freetds, pymssql};

fn orders() -> TableDef {
    TableDef::new("McTM", "dbo", "Orders")
        .required("id", "int")
        .column("name", "nvarchar(20)")
        .required("rv", "rowversion")
        .key(&["id"])
        .row([Value::Int(1), "one".into(), Value::Null])
        .row([Value::Int(2), "two".into(), Value::Null])
}

async fn serve(table: TableDef) -> (StandIn, TableHandle, Connection) {
    let server = StandIn::builder().tls(TlsMode::Off).login("sync", "secret").database("Types").table(table).start().await.unwrap();
    let client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let table = server.table("McTM", "dbo", "Orders").unwrap();
    (server, table, client)
}

/// All values of all rows, in one line.
async fn read(client: &mut Connection, sql: &str) -> String {
    let read = rows(client, sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap();
    let rows = read.into_iter().map(|row| row.into_iter().map(|value| value.unwrap_or("NULL".into())).collect::<Vec<_>>().join(" "));
    rows.collect::<Vec<_>>().join(", ")
}

fn new(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), name.into(), Value::Null]
}

fn is(id: i64) -> impl Fn(&[Value]) -> bool {
    move |row| row[0] == Value::Int(id)
}

const VERSIONS: &str = "SELECT CAST(@@DBTS AS bigint), CAST(MIN_ACTIVE_ROWVERSION() AS bigint)";

#[tokio::test(flavor = "multi_thread")]
async fn a_rowversion_is_given_when_a_row_is_written_and_is_active_until_the_commit() {
    let (server, table, mut client) = serve(orders()).await;
    assert_eq!(read(&mut client, "SELECT id, CAST(rv AS bigint) FROM dbo.Orders").await, "1 2001, 2 2002");
    assert_eq!(read(&mut client, VERSIONS).await, "2002 2003");
    let mut early = server.begin("McTM").unwrap();
    early.insert(&table, new(3, "three")).unwrap();
    assert_eq!(read(&mut client, VERSIONS).await, "2003 2003");
    table.update("name", "two".into(), is(2)).unwrap();
    assert_eq!(read(&mut client, "SELECT id, CAST(rv AS bigint) FROM dbo.Orders ORDER BY rv DESC").await, "2 2004, 1 2001");
    assert_eq!(read(&mut client, VERSIONS).await, "2004 2003");
    let mut late = table.begin().unwrap();
    assert_eq!(late.update(&table, &[("name", "uno".into())], is(1)), Ok(1));
    early.commit().unwrap();
    assert_eq!(read(&mut client, VERSIONS).await, "2005 2005");
    assert_eq!(read(&mut client, "SELECT id, CAST(rv AS bigint) FROM dbo.Orders ORDER BY rv").await, "1 2001, 3 2003, 2 2004");
    late.rollback();
    assert_eq!(read(&mut client, VERSIONS).await, "2005 2006");
    assert_eq!(read(&mut client, "SELECT name FROM dbo.Orders WHERE id = 1").await, "one");
    // Each database counts for itself.
    assert_eq!(read(&mut client, "USE Types SELECT CAST(@@DBTS AS bigint)").await, "2000");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_net_and_their_versions_those_of_the_commits() {
    let (server, table, mut client) = serve(orders()).await;
    assert_eq!(read(&mut client, "SELECT CHANGE_TRACKING_CURRENT_VERSION()").await, "NULL");
    assert_eq!(table.track_changes().map_err(|error| error.number), Err(1718));
    server.enable_change_tracking("McTM").unwrap();
    table.track_changes().unwrap();
    let versions = "SELECT CHANGE_TRACKING_CURRENT_VERSION(), CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.Orders'))";
    assert_eq!(read(&mut client, versions).await, "0 0");
    let mut early = server.begin("McTM").unwrap();
    early.insert(&table, new(3, "three")).unwrap();
    early.update(&table, &[("name", "drei".into())], is(3)).unwrap();
    table.delete(is(2)).unwrap();
    assert_eq!(read(&mut client, versions).await, "1 0");
    early.commit().unwrap();
    let changes = "SELECT ct.SYS_CHANGE_VERSION, ct.SYS_CHANGE_CREATION_VERSION, ct.SYS_CHANGE_OPERATION, ct.id, o.id, o.name \
        FROM CHANGETABLE(CHANGES dbo.Orders, 0) AS ct LEFT OUTER JOIN dbo.Orders AS o ON o.id = ct.id ORDER BY ct.id";
    assert_eq!(read(&mut client, changes).await, "1 NULL D 2 NULL NULL, 2 2 I 3 3 drei");
    table.clean_up_changes(1).unwrap();
    assert_eq!(read(&mut client, versions).await, "2 1");
    assert_eq!(read(&mut client, changes).await, "2 2 I 3 3 drei");
    table.truncate().unwrap();
    assert_eq!(read(&mut client, versions).await, "3 3");
}

async fn error_of(client: &mut Connection, sql: &str) -> Option<u32> {
    match client.simple_query(sql).await {
        Ok(stream) => stream.into_results().await.err(),
        Err(error) => Some(error),
    }
    .and_then(|error| error.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_sees_its_own_rows_and_meets_those_of_others() {
    let (server, table, mut client) = serve(orders()).await;
    let mut one = server.begin("McTM").unwrap();
    let mut other = server.begin("McTM").unwrap();
    let number = |result: Result<usize, SqlError>| result.map_err(|error| error.number);
    one.insert(&table, new(3, "three")).unwrap();
    assert_eq!(one.insert(&table, new(3, "again")).map_err(|error| error.number), Err(2627));
    assert_eq!(one.insert(&table, new(1, "again")).map_err(|error| error.number), Err(2627));
    assert_eq!(one.insert(&table, vec![Value::Int(4), Value::Null, Value::Binary(vec![0; 8])]).map_err(|error| error.number), Err(273));
    assert_eq!(number(one.update(&table, &[("rv", Value::Binary(vec![0; 8]))], is(3))), Err(272));
    assert_eq!(number(one.update(&table, &[("id", Value::Int(9))], is(3))), Ok(1));
    assert_eq!(number(one.update(&table, &[("name", "nine".into())], is(9))), Ok(1));
    assert_eq!(number(one.delete(&table, is(2))), Ok(1));
    assert_eq!(number(one.delete(&table, is(2))), Ok(0));
    // Whoever waited on the server is refused here, and has changed nothing.
    assert_eq!(number(other.update(&table, &[("name", "x".into())], |_| true)), Err(1222));
    assert_eq!(other.insert(&table, new(9, "x")).map_err(|error| error.number), Err(1222));
    assert_eq!(number(table.update("name", "x".into(), is(2))), Err(1222));
    assert_eq!(table.add_column("more", "int", Value::Null).map_err(|error| error.number), Err(1222));
    assert_eq!(table.truncate().map_err(|error| error.number), Err(1222));
    assert_eq!(read(&mut client, "SELECT id, name FROM dbo.Orders").await, "1 one, 2 two");
    one.commit().unwrap();
    assert_eq!(read(&mut client, "SELECT id, name FROM dbo.Orders").await, "1 one, 9 nine");
    assert_eq!(number(other.update(&table, &[("name", "x".into())], |_| true)), Ok(2));
    drop(other);
    assert_eq!(number(table.update("name", "y".into(), |_| true)), Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_transaction_goes_on_seeing_what_its_first_read_saw() {
    let (server, table, mut client) = serve(orders()).await;
    server.enable_change_tracking("McTM").unwrap();
    table.track_changes().unwrap();
    let all = "SELECT CHANGE_TRACKING_CURRENT_VERSION(), MAX(id) FROM dbo.Orders";
    client.simple_query("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION").await.unwrap().into_results().await.unwrap();
    table.insert(new(3, "three")).unwrap();
    assert_eq!(read(&mut client, all).await, "1 3");
    table.insert(new(4, "four")).unwrap();
    assert_eq!(read(&mut client, all).await, "1 3");
    assert_eq!(read(&mut client, "SELECT COUNT(*) FROM CHANGETABLE(CHANGES dbo.Orders, 0) AS c").await, "1");
    // Not so the counter of rowversions, which no isolation level holds back.
    assert_eq!(read(&mut client, VERSIONS).await, "2004 2005");
    table.add_column("more", "int", Value::Null).unwrap();
    assert_eq!(error_of(&mut client, all).await, Some(3961));
    client.simple_query("COMMIT").await.unwrap().into_results().await.unwrap();
    assert_eq!(read(&mut client, all).await, "2 4");
    // Outside of a transaction every statement is a snapshot of its own.
    table.insert(vec![Value::Int(5), Value::Null, Value::Null, Value::Null]).unwrap();
    assert_eq!(read(&mut client, all).await, "3 5");
}

#[tokio::test(flavor = "multi_thread")]
async fn rowversions_compare_with_bytes_and_numbers_and_become_both() {
    let (_server, _table, mut client) = serve(orders()).await;
    for (predicate, expected) in [
        ("rv > 0x00000000000007D1", "2"),
        ("rv >= 0x00000000000007D1 AND rv < MIN_ACTIVE_ROWVERSION()", "1, 2"),
        ("rv <= CAST(2001 AS binary(8))", "1"),
        ("rv = CONVERT(binary(8), '0x00000000000007D2', 1)", "2"),
        ("rv = CONVERT(rowversion, 2002)", "2"),
        ("rv > CAST(CAST(2001 AS bigint) AS timestamp)", "2"),
        ("CAST(rv AS bigint) > 2001", "2"),
        ("rv > @@DBTS", ""),
    ] {
        assert_eq!(
            read(&mut client, &format!("SELECT id FROM dbo.Orders WHERE {predicate} ORDER BY rv, id")).await,
            expected,
            "{predicate}"
        );
    }
    let low: &[u8] = &[0, 0, 0, 0, 0, 0, 7, 0xD1];
    let window = "SELECT id FROM dbo.Orders WHERE rv > @P1 AND rv <= CAST(@P2 AS rowversion)";
    assert_eq!(rows(&mut client, window, &[&low, &2002i64]).await.unwrap(), [[Some("2".to_owned())]]);
    assert_eq!(
        read(&mut client, "SELECT MAX(rv), CONVERT(varchar(18), MAX(rv), 1) FROM dbo.Orders").await,
        "00000000000007d2 0x00000000000007D2"
    );
    assert_eq!(error_of(&mut client, "SELECT id FROM dbo.Orders WHERE rv > N'0x00000000000007D1'").await, Some(257));
    assert_eq!(error_of(&mut client, "SELECT CAST(N'x' AS rowversion)").await, Some(529));
}

#[tokio::test(flavor = "multi_thread")]
async fn changetable_is_asked_as_the_server_wants_it() {
    let (server, table, mut client) = serve(orders()).await;
    server.add_table(TableDef::new("McTM", "dbo", "Heap").column("n", "int")).unwrap();
    let from = |from: &str| format!("SELECT id FROM {from}");
    assert_eq!(error_of(&mut client, &from("CHANGETABLE(CHANGES dbo.Orders, 0) AS ct")).await, Some(22105));
    server.enable_change_tracking("McTM").unwrap();
    assert_eq!(server.enable_change_tracking("McTM").map_err(|error| error.number), Err(5088));
    assert_eq!(error_of(&mut client, &from("CHANGETABLE(CHANGES dbo.Orders, 0) AS ct")).await, Some(22105));
    table.track_changes().unwrap();
    assert_eq!(table.track_changes().map_err(|error| error.number), Err(4996));
    assert_eq!(server.table("McTM", "dbo", "Heap").unwrap().track_changes().map_err(|error| error.number), Err(4997));
    for (number, sql) in [
        (None, "CHANGETABLE(CHANGES dbo.Orders, 0) AS ct"),
        (None, "CHANGETABLE(CHANGES [McTM].[dbo].[Orders], NULL) ct"),
        (Some(22104), "CHANGETABLE(CHANGES dbo.Orders, 0)"),
        (Some(22107), "CHANGETABLE(CHANGES sys.tables, 0) AS ct"),
        (Some(208), "CHANGETABLE(CHANGES dbo.Nowhere, 0) AS ct"),
        (Some(22102), "CHANGETABLE(CHANGES dbo.Orders) AS ct"),
        (Some(102), "CHANGETABLE(CHANGES dbo.Orders, 1 + 1) AS ct"),
        (Some(102), "CHANGETABLE(CHANGES dbo.Orders, CHANGE_TRACKING_CURRENT_VERSION()) AS ct"),
        (Some(102), "CHANGETABLE(dbo.Orders, 0) AS ct"),
        (Some(102), "CHANGETABLE(VERSION dbo.Orders, (id), (1)) AS ct"),
        (Some(102), "CHANGETABLE(CHANGES dbo.Orders, 0) AS ct WITH (NOLOCK)"),
        (Some(102), "Orders(1) AS ct"),
        (Some(137), "CHANGETABLE(CHANGES dbo.Orders, @nowhere) AS ct"),
    ] {
        assert_eq!(error_of(&mut client, &from(sql)).await, number, "{sql}");
    }
    let views = "SELECT t.name, c.is_track_columns_updated_on, c.begin_version, c.cleanup_version, c.min_valid_version \
        FROM sys.change_tracking_tables AS c JOIN sys.tables AS t ON t.object_id = c.object_id";
    assert_eq!(read(&mut client, views).await, "Orders false 0 0 0");
    let views = "SELECT is_auto_cleanup_on, retention_period, retention_period_units_desc FROM sys.change_tracking_databases WHERE database_id = DB_ID()";
    assert_eq!(read(&mut client, views).await, "true 2 DAYS");
    // A number that is no table's, or another database's.
    assert_eq!(
        read(&mut client, "SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.Heap')), CHANGE_TRACKING_MIN_VALID_VERSION(1)").await,
        "NULL NULL"
    );
    server.deny("sync", "VIEW CHANGE TRACKING");
    assert_eq!(error_of(&mut client, &from("CHANGETABLE(CHANGES dbo.Orders, 0) AS ct")).await, Some(229));
    assert_eq!(read(&mut client, "SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.Orders'))").await, "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_the_tests_to_set_to_skew_and_to_move() {
    let (server, _table, mut client) = serve(orders()).await;
    let clock = server.clock();
    // 2024-01-02 03:04:05.1234567
    clock.set(738_886, 110_451_234_567);
    clock.zone(540);
    let shown = "SELECT CONVERT(varchar(40), SYSUTCDATETIME(), 121), CONVERT(varchar(40), SYSDATETIME(), 121), \
        CONVERT(varchar(40), SYSDATETIMEOFFSET(), 121), CONVERT(varchar(40), GETUTCDATE(), 121), CONVERT(varchar(40), GETDATE(), 121)";
    let expected = "2024-01-02 03:04:05.1234567 2024-01-02 12:04:05.1234567 2024-01-02 12:04:05.1234567 +09:00 2024-01-02 03:04:05.123 \
        2024-01-02 12:04:05.123";
    assert_eq!(read(&mut client, shown).await, expected);
    clock.advance(std::time::Duration::from_millis(1500));
    assert_eq!(read(&mut client, "SELECT CONVERT(varchar(40), SYSUTCDATETIME(), 121)").await, "2024-01-02 03:04:06.6234567");
    assert_eq!(clock.utc_shifted(-10_000_000), Value::DateTime2(738_886, 110_456_234_567));
    clock.skew(-36_000_000_000);
    let behind = "SELECT DATEDIFF(minute, SYSUTCDATETIME(), @P1)";
    let Value::DateTime2(days, ticks) = clock.utc_shifted(36_000_000_000) else { unreachable!("a datetime2") };
    let (date, time) = (tiberius::time::Date::new(days as u32), tiberius::time::Time::new(ticks, 7));
    let ahead = Typed(ColumnData::DateTime2(Some(tiberius::time::DateTime2::new(date, time))));
    let now = rows(&mut client, behind, &[&ahead]).await.unwrap();
    assert!(["59", "60"].contains(&now[0][0].as_deref().unwrap_or_default()), "{now:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn freetds_and_pymssql_read_the_same_changes() {
    let (server, table, _client) = serve(orders()).await;
    server.enable_change_tracking("McTM").unwrap();
    table.track_changes().unwrap();
    table.update("name", "uno".into(), is(1)).unwrap();
    table.delete(is(2)).unwrap();
    server.clock().set(738_886, 110_451_234_567);
    let mut open = server.begin("McTM").unwrap();
    open.insert(&table, new(3, "three")).unwrap();
    let cases = [
        ("@@DBTS", "00000000000007D4", r"b'\x00\x00\x00\x00\x00\x00\x07\xd4'"),
        ("MIN_ACTIVE_ROWVERSION()", "00000000000007D4", r"b'\x00\x00\x00\x00\x00\x00\x07\xd4'"),
        ("CAST(@@DBTS AS bigint)", "2004", "2004"),
        ("CHANGE_TRACKING_CURRENT_VERSION()", "2", "2"),
        ("CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.Orders'))", "0", "0"),
        ("SYSUTCDATETIME()", "", "datetime.datetime(2024, 1, 2, 3, 4, 5, 123456)"),
        ("CONVERT(varchar(30), SYSUTCDATETIME(), 121)", "2024-01-02 03:04:05.1234567", "'2024-01-02 03:04:05.1234567'"),
    ];
    for (sql, text, repr) in cases {
        let said = freetds::tsql(&server, &format!("USE McTM SELECT {sql}")).await;
        let last = said.lines().last().map(|line| line.trim_start_matches("0x").to_uppercase());
        assert!(text.is_empty() || last.as_deref() == Some(text), "{sql}: {said}");
        let script = format!("cur.execute(\"USE McTM SELECT {sql}\")\nprint(repr(cur.fetchone()[0]))\n");
        assert_eq!(pymssql::run(server.port(), "off", &script).await, [repr], "{sql}");
    }
    let join = "SELECT ct.SYS_CHANGE_VERSION, ct.SYS_CHANGE_CREATION_VERSION, ct.SYS_CHANGE_OPERATION, ct.SYS_CHANGE_COLUMNS, ct.id, o.name \
        FROM CHANGETABLE(CHANGES dbo.Orders, 0) AS ct LEFT JOIN dbo.Orders AS o ON o.id = ct.id ORDER BY ct.SYS_CHANGE_VERSION";
    let script = format!(
        "cur.execute('USE McTM {join}')\nfor row in cur: print(row)\ncur.execute('SELECT * FROM CHANGETABLE(CHANGES dbo.Orders, %s) AS c', (1,))\n\
        print([d[0] for d in cur.description], cur.fetchall())\n"
    );
    assert_eq!(
        pymssql::run(server.port(), "off", &script).await,
        [
            "(1, None, 'U', None, 1, 'uno')",
            "(2, None, 'D', None, 2, None)",
            "['SYS_CHANGE_VERSION', 'SYS_CHANGE_CREATION_VERSION', 'SYS_CHANGE_OPERATION', 'SYS_CHANGE_COLUMNS', 'SYS_CHANGE_CONTEXT', 'id'] \
             [(2, None, 'D', None, None, 2)]",
        ]
    );
    let said = freetds::tsql(&server, &format!("USE McTM {join}")).await;
    assert!(said.contains("1\tNULL\tU\tNULL\t1\tuno") && said.contains("2\tNULL\tD\tNULL\t2\tNULL"), "{said}");
    for (sql, number) in [("CHANGETABLE(CHANGES dbo.Orders, 0)", "Msg 22104"), ("CHANGETABLE(CHANGES dbo.Nowhere, 0) AS c", "Msg 208")] {
        let said = freetds::tsql(&server, &format!("USE McTM SELECT * FROM {sql}")).await;
        assert!(said.contains(number), "{sql}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_table_strikes_the_reading_of_its_changes() {
    let (server, table, mut client) = serve(orders()).await;
    server.enable_change_tracking("McTM").unwrap();
    table.track_changes().unwrap();
    table.update("name", "x".into(), |_| true).unwrap();
    let changes = "SELECT c.id, o.name FROM CHANGETABLE(CHANGES dbo.Orders, 0) AS c LEFT JOIN dbo.Orders AS o ON o.id = c.id";
    table.fault_times(Fault::ErrorAfterRows(1, SqlError::new(1205, 13, "deadlock")), 1);
    assert_eq!(error_of(&mut client, changes).await, Some(1205));
    assert_eq!(read(&mut client, changes).await, "1 x, 2 x");
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_an_index_leads_with_a_column_can_be_asked() {
    let leads = |column: &str| {
        format!(
            "SELECT COUNT(*) FROM sys.indexes AS i JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id \
             JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id \
             WHERE i.object_id = OBJECT_ID(N'[dbo].[Orders]') AND c.name = N'{column}' AND ic.key_ordinal = 1 AND i.type IN (1, 2) \
             AND i.is_disabled = 0 AND i.is_hypothetical = 0 AND i.has_filter = 0"
        )
    };
    let (server, _table, mut client) = serve(orders().index(IndexDef::new("IX_rv", &["rv", "name"]))).await;
    for (column, indexes) in [("rv", "1"), ("id", "1"), ("name", "0")] {
        assert_eq!(read(&mut client, &leads(column)).await, indexes, "{column}");
    }
    let top = rows(&mut client, "SELECT TOP (@P1) id FROM dbo.Orders ORDER BY rv DESC, id", &[&1i32]).await.unwrap();
    assert_eq!(top, [[Some("2".to_owned())]]);
    drop(server);
}
