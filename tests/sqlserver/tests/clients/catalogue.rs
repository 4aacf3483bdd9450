//! The catalogue's word on a table, drift, and views that a login may not read.

use tds_stand_in::{Fault, ForeignKeyDef, IndexDef, StandIn, TableDef, TableHandle, TlsMode, Value};
use tiberius::{EncryptionLevel, QueryItem};

use crate::tiberius::{Connection, connect, rows};
use futures_util::TryStreamExt;

fn parent() -> TableDef {
    TableDef::new("McTM", "ref", "Kind").required("id", "int").key(&["id"])
}

fn child() -> TableDef {
    TableDef::new("McTM", "dbo", "Item")
        .collation("Japanese_CI_AS")
        .table_comment("What is sold")
        .required("id", "bigint")
        .identity_of(10, -5)
        .comment("Its number")
        .required("kind", "int")
        .default_of("((0))")
        .column("name", "nvarchar(40)")
        .default_of("(N'x')")
        .column("twice", "int")
        .persisted("([kind]*(2))")
        .column("since", "datetime2(7)")
        .generated_always(1)
        .hidden()
        .key(&["id"])
        .key_name("PK_of_items")
        .index(IndexDef::new("UQ_name", &["name"]).constraint())
        .index(IndexDef::new("IX_kind", &["kind"]).descending("name").include("twice").filter("([kind]>(0))"))
        .index(IndexDef::new("CS", &["kind"]).kind(6).disabled())
        .foreign_key(ForeignKeyDef::new("FK_kind", &["kind"], ("ref", "Kind"), &["id"]).actions(1, 2).untrusted())
        .row([Value::Int(10), Value::Int(1), "a".into(), Value::Int(2), Value::Null])
        .row([Value::Int(5), Value::Int(1), "b".into(), Value::Int(2), Value::Null])
}

async fn serve() -> (StandIn, Connection, TableHandle) {
    let server = StandIn::builder().tls(TlsMode::Off).login("sync", "secret").table(child()).table(parent()).start().await.unwrap();
    let client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let table = server.table("McTM", "dbo", "Item").unwrap();
    (server, client, table)
}

/// All rows as one text: `|` between values, `;` between rows.
async fn read(client: &mut Connection, sql: &str) -> String {
    let read = rows(client, sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap();
    let line = |row: Vec<Option<String>>| row.into_iter().map(|value| value.unwrap_or("NULL".into())).collect::<Vec<_>>().join("|");
    read.into_iter().map(line).collect::<Vec<_>>().join(";")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tables_definition_is_in_the_catalogue() {
    let (_server, mut client, _) = serve().await;
    for (sql, expected) in [
        ("SELECT * FROM dbo.Item WHERE id = 5", "5|1|b|2"),
        (
            "SELECT ic.column_id, CAST(ic.seed_value AS decimal(38,0)), CAST(ic.increment_value AS decimal(38,0)), CAST(ic.last_value AS decimal(38,0)) \
             FROM [McTM].sys.identity_columns AS ic JOIN [McTM].sys.tables AS t ON t.object_id = ic.object_id",
            "1|10/0|-5/0|5/0",
        ),
        (
            "SELECT d.parent_column_id, d.name, d.definition FROM sys.default_constraints AS d JOIN sys.columns AS c ON c.default_object_id = d.object_id",
            "2|DF_Item_kind|((0));3|DF_Item_name|(N'x')",
        ),
        ("SELECT column_id, definition, is_persisted FROM sys.computed_columns", "4|([kind]*(2))|true"),
        ("SELECT c.name, c.is_hidden, c.generated_always_type FROM sys.columns AS c WHERE c.generated_always_type > 0", "since|true|1"),
        (
            "SELECT i.index_id, i.name, i.type, i.is_unique, i.is_primary_key, i.is_unique_constraint, i.has_filter, i.filter_definition, i.is_disabled, i.is_hypothetical \
             FROM sys.indexes AS i JOIN sys.tables AS t ON t.object_id = i.object_id WHERE t.name = N'Item'",
            "1|PK_of_items|1|true|true|false|false|NULL|false|false;2|UQ_name|2|true|false|true|false|NULL|false|false;\
             3|IX_kind|2|false|false|false|true|([kind]>(0))|false|false;4|CS|6|false|false|false|false|NULL|true|false",
        ),
        (
            "SELECT ic.key_ordinal, ic.column_id, ic.is_descending_key, ic.is_included_column FROM sys.index_columns AS ic \
             JOIN sys.tables AS t ON t.object_id = ic.object_id WHERE t.name = N'Item' AND ic.index_id = 3",
            "1|2|false|false;2|3|true|false;0|4|false|true",
        ),
        (
            "SELECT f.name, s.name, o.name, f.delete_referential_action, f.update_referential_action, f.is_disabled, f.is_not_trusted \
             FROM sys.foreign_keys AS f JOIN sys.objects AS o ON o.object_id = f.referenced_object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id",
            "FK_kind|ref|Kind|1|2|false|true",
        ),
        (
            "SELECT fc.constraint_column_id, p.name, r.name FROM sys.foreign_key_columns AS fc \
             JOIN sys.columns AS p ON p.object_id = fc.parent_object_id AND p.column_id = fc.parent_column_id \
             JOIN sys.columns AS r ON r.object_id = fc.referenced_object_id AND r.column_id = fc.referenced_column_id",
            "1|kind|id",
        ),
        (
            "SELECT e.minor_id, CAST(e.value AS nvarchar(3750)) FROM sys.extended_properties AS e WHERE e.class = 1 AND e.name = N'MS_Description'",
            "0|What is sold;1|Its number",
        ),
        ("SELECT t.name FROM sys.types AS t WHERE t.user_type_id IN (244, 255)", "json;vector"),
    ] {
        assert_eq!(read(&mut client, sql).await, expected, "{sql}");
    }
}

const COLUMNS: &str = "SELECT c.column_id, c.name, t.name FROM sys.columns AS c JOIN sys.types AS t ON t.user_type_id = c.user_type_id \
    JOIN sys.tables AS o ON o.object_id = c.object_id WHERE o.name = N'Item' AND c.column_id < 9 ORDER BY c.column_id";

#[tokio::test(flavor = "multi_thread")]
async fn columns_change_under_their_ids() {
    let (_server, mut client, table) = serve().await;
    table.drop_column("since").unwrap();
    table.rename_column("name", "title").unwrap();
    table.retype_column("kind", "varchar(10)").unwrap();
    table.add_column("price", "decimal(9,2)", Value::Decimal(150, 2)).unwrap();
    assert_eq!(read(&mut client, COLUMNS).await, "1|id|bigint;2|kind|varchar;3|title|nvarchar;4|twice|int;6|price|decimal");
    assert_eq!(read(&mut client, "SELECT id, kind, title, price FROM dbo.Item WHERE id = 5").await, "5|1|b|150/2");
    assert_eq!(table.retype_column("title", "int").map_err(|error| error.number), Err(245));
    assert_eq!(table.drop_column("twice").map_err(|error| error.number), Err(4922), "an index uses it");
    assert_eq!(table.add_column("TITLE", "int", Value::Null).map_err(|error| error.number), Err(2705));
}

/// Reads ids and names until the end, in the order of the key.
async fn stream(client: &mut Connection) -> u64 {
    let mut count = 0;
    let mut stream = client.simple_query("SELECT id, name FROM dbo.Item ORDER BY id").await.unwrap();
    while let Some(item) = stream.try_next().await.unwrap() {
        count += u64::from(matches!(item, QueryItem::Row(_)));
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_during_a_read_is_seen_by_the_next_one() {
    let (_server, mut client, table) = serve().await;
    table.fault(Some(Fault::change_after_rows(1, |table| {
        table.rename_column("name", "title").unwrap();
        table.update("kind", Value::Int(9), |row| row[0] == Value::Int(10)).unwrap();
        table.delete(|row| row[0] == Value::Int(5)).unwrap();
    })));
    assert_eq!(stream(&mut client).await, 2, "what has begun keeps its rows and columns");
    assert_eq!(read(&mut client, "SELECT id, kind, title FROM dbo.Item").await, "10|9|a");
    let error = rows(&mut client, "SELECT name FROM dbo.Item", &[]).await.err();
    assert_eq!(error.and_then(|error| error.code()), Some(207));
    table.rename_column("title", "name").unwrap();
    assert_eq!(stream(&mut client).await, 1, "a change happens once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_view_is_error_229_and_nothing_else_is() {
    let (server, mut client, _) = serve().await;
    server.deny("sync", "sys.foreign_keys");
    server.deny("sync", "dbo.Item");
    server.deny("other", "sys.columns");
    for (sql, number) in [
        ("SELECT name FROM sys.foreign_keys", Some(229)),
        ("SELECT name FROM [McTM].sys.foreign_keys", Some(229)),
        ("SELECT id FROM dbo.Item", Some(229)),
        ("SELECT name FROM sys.columns", None),
        ("SELECT id FROM ref.Kind", None),
    ] {
        let error = rows(&mut client, sql, &[]).await.err();
        assert_eq!(error.and_then(|error| error.code()), number, "{sql}");
    }
    server.allow("sys.foreign_keys");
    assert_eq!(read(&mut client, "SELECT name FROM sys.foreign_keys").await, "FK_kind");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_for_a_real_server_says_the_same() {
    let (server, _client, _) = serve().await;
    let mut script = Vec::new();
    server.emit_sql(&mut script).unwrap();
    let script = String::from_utf8(script).unwrap();
    for line in [
        "    [id] bigint IDENTITY(10,-5) NOT NULL,",
        "    [kind] int NOT NULL DEFAULT ((0)),",
        "    [twice] AS ([kind]*(2)) PERSISTED,",
        "    CONSTRAINT [PK_of_items] PRIMARY KEY CLUSTERED ([id])",
        "ALTER TABLE [dbo].[Item] ADD CONSTRAINT [UQ_name] UNIQUE NONCLUSTERED ([name]);",
        "CREATE NONCLUSTERED INDEX [IX_kind] ON [dbo].[Item] ([kind], [name] DESC) INCLUDE ([twice]) WHERE ([kind]>(0));",
        "EXEC sp_addextendedproperty N'MS_Description', N'Its number', N'SCHEMA', N'dbo', N'TABLE', N'Item', N'COLUMN', N'id';",
        "ALTER TABLE [dbo].[Item] WITH NOCHECK ADD CONSTRAINT [FK_kind] FOREIGN KEY ([kind]) REFERENCES [ref].[Kind] ([id]) ON DELETE CASCADE ON UPDATE SET NULL;",
    ] {
        assert!(script.lines().any(|written| written == line), "{line} is not in\n{script}");
    }
}
