//! Tables that the product makes from the source's definition; PostgreSQL's own catalogue says what they have become.

mod foreign_keys;

use serde_json::json;

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{IndexDef, TableDef, Value};

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_goes_on_after_the_highest_number_that_came() {
    let table = orders().row(order(7, "a")).row(order(3, "b"));
    let site = Site::defined(vec![("Orders", table)], json!({})).await;
    site.sync().await;
    assert_eq!(identity(&site, "orders", "id").await, "d");
    assert_eq!(numbered(&site, "INSERT INTO orders (name) VALUES ('new') RETURNING id").await, "8");
    let defaults = "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull, ',' ORDER BY attnum) \
        FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0";
    assert_eq!(site.db.value(defaults).await, "id integer true,name character varying(50) true");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_of_an_empty_table_begins_at_its_seed_or_after_the_last_number_given() {
    let cases = [(1000, 10, None, "1000"), (1, 1, Some(41), "42"), (-1, -1, None, "-1"), (0, 1, None, "0"), (100, -5, Some(90), "85")];
    for (seed, increment, last, expected) in cases {
        let table = TableDef::new("McTM", "dbo", "Orders").required("Id", "int").identity_of(seed, increment);
        let table = last.into_iter().fold(table, TableDef::identity_last).column("Name", "nvarchar(50)").key(&["Id"]);
        let site = Site::defined(vec![("Orders", table)], json!({})).await;
        site.sync().await;
        let given = numbered(&site, "INSERT INTO orders (name) VALUES ('new') RETURNING id").await;
        assert_eq!(given, expected, "{seed} in steps of {increment} after {last:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_counts_downwards_and_keeps_the_furthest_of_table_and_source() {
    for (last, expected) in [(-9, "-10"), (-4, "-8")] {
        let table = TableDef::new("McTM", "dbo", "Orders").required("Id", "bigint").identity_of(-1, -1).identity_last(last);
        let table = table.required("Name", "nvarchar(50)").key(&["Id"]).row(order(-7, "a")).row(order(-2, "b"));
        let site = Site::defined(vec![("Orders", table)], json!({})).await;
        site.sync().await;
        assert_eq!(numbered(&site, "INSERT INTO orders (name) VALUES ('new') RETURNING id").await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_of_decimals_is_numbered_by_a_sequence_of_its_own() {
    for (rows, expected) in [(vec![order(7, "a")], "8"), (vec![], "0")] {
        let table =
            TableDef::new("McTM", "dbo", "Orders").required("Id", "decimal(18,0)").identity_of(0, 1).required("Name", "nvarchar(50)");
        let site = Site::defined(vec![("Orders", rows.into_iter().fold(table.key(&["Id"]), TableDef::row))], json!({})).await;
        site.sync().await;
        assert_eq!(numbered(&site, "INSERT INTO orders (name) VALUES ('new') RETURNING id").await, expected);
        assert_eq!(site.db.value("SELECT pg_get_serial_sequence('orders', 'id')").await, "public.orders_id_seq");
        site.db.execute("DROP TABLE orders").await;
        assert_eq!(site.db.value("SELECT to_regclass('orders_id_seq') IS NULL").await, "t");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_refreshes_move_the_sequence_forward_and_never_back() {
    for refresh in ["merge", "replace", "truncate"] {
        let mut site = Site::defined(vec![("Orders", orders().row(order(1, "a")).row(order(9, "b")))], json!({})).await;
        site.default("refresh", json!(refresh));
        site.sync().await;
        site.source.replace_rows("Orders", vec![order(2, "c"), order(30, "d")]);
        site.sync().await;
        assert_eq!(numbered(&site, "SELECT nextval(pg_get_serial_sequence('orders', 'id'))").await, "31", "{refresh}");
        site.source.replace_rows("Orders", vec![order(2, "c"), order(5, "e")]);
        site.sync().await;
        assert_eq!(numbered(&site, "SELECT nextval(pg_get_serial_sequence('orders', 'id'))").await, "32", "{refresh}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defaults_that_translate_are_there_and_the_others_are_named() {
    let table = TableDef::new("McTM", "dbo", "Orders")
        .required("Id", "int")
        .column("Active", "bit")
        .default_of("((1))")
        .column("Price", "money")
        .default_of("((0.50))")
        .column("State", "nvarchar(20)")
        .default_of("(N'new''s')")
        .column("Made", "datetime2(3)")
        .default_of("(sysutcdatetime())")
        .column("Mark", "uniqueidentifier")
        .default_of("(newid())")
        .column("Since", "date")
        .default_of("('1900-01-01')")
        .column("Maker", "nvarchar(128)")
        .default_of("(suser_sname())")
        .column("Total", "int")
        .computed("([Id]*(2))")
        .key(&["Id"]);
    let site = Site::defined(vec![("Orders", table)], json!({})).await;
    let body = site.sync().await;
    let defaults = "SELECT string_agg(attname || ' ' || pg_get_expr(adbin, adrelid), '; ' ORDER BY attnum) FROM pg_attrdef \
        JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'orders'::regclass";
    assert_eq!(
        site.db.value(defaults).await,
        "active true; price 0.50; state 'new''s'::character varying; made (now() AT TIME ZONE 'UTC'::text); mark gen_random_uuid(); \
         since '1900-01-01'::date"
    );
    assert_eq!(
        site.db.value("INSERT INTO orders (id) VALUES (1) RETURNING concat_ws(' ', active, price, state, since, maker, total)").await,
        "t 0.5000 new's 1900-01-01"
    );
    assert!(warned(&body, "Maker").contains("(suser_sname())"), "{body}");
    assert!(warned(&body, "Total").contains("([Id]*(2))"), "{body}");
    assert_eq!(warnings(&body).len(), 2, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_come_over() {
    let table = orders().table_comment("Kunde's \\ \"orders\"").column("Extra", "int").comment("zusätzlich; --");
    let site = Site::defined(vec![("Orders", table)], json!({})).await;
    site.sync().await;
    assert_eq!(site.db.value("SELECT obj_description('orders'::regclass)").await, "Kunde's \\ \"orders\"");
    assert_eq!(site.db.value("SELECT col_description('orders'::regclass, 3)").await, "zusätzlich; --");
    assert_eq!(site.db.value("SELECT col_description('orders'::regclass, 1) IS NULL").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_built_on_request_as_the_source_has_them() {
    let indexes = [
        IndexDef::new("IX_Orders_Name", &["Name"]).descending("Place").include("Note"),
        IndexDef::new("UQ_Place", &["Place"]).constraint(),
        IndexDef::new("UX_Name", &["Name"]).unique(),
        IndexDef::new("IX_Filtered", &["Note"]).filter("([Note] IS NOT NULL AND [Place]>(5))"),
    ];
    let site = Site::defined(vec![("Orders", indexed(indexes.to_vec()))], json!({"create_indexes": true})).await;
    let body = site.sync().await;
    assert_eq!(
        index_definitions(&site).await,
        [
            "CREATE INDEX orders_ix_filtered ON public.orders USING btree (note) WHERE ((note IS NOT NULL) AND (place > 5))",
            "CREATE INDEX orders_ix_orders_name ON public.orders USING btree (name, place DESC) INCLUDE (note)",
            "CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)",
            "CREATE UNIQUE INDEX orders_uq_place ON public.orders USING btree (place) NULLS NOT DISTINCT",
            "CREATE UNIQUE INDEX orders_ux_name ON public.orders USING btree (name)",
        ]
    );
    assert_eq!(
        site.db.value("SELECT conname FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'u'").await,
        "orders_uq_place"
    );
    assert!(warnings(&body).is_empty(), "{body}");
    assert_eq!(site.sync().await.counts("orders"), [2, 0, 0, 0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_no_index_is_asked_for_or_built() {
    let site = Site::defined(vec![("Orders", indexed(vec![IndexDef::new("IX_Name", &["Name"])]))], json!({})).await;
    site.sync().await;
    assert_eq!(index_definitions(&site).await.len(), 1);
    assert!(!site.source.has_seen("filter_definition"));
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_that_postgresql_cannot_have_are_named_with_the_reason() {
    let indexes = [
        IndexDef::new("CS", &["Name"]).kind(6),
        IndexDef::new("Off", &["Name"]).disabled(),
        IndexDef::new("Advised", &["Name"]).hypothetical(),
        IndexDef::new("Odd", &["Name"]).filter("([Name]=N'x')"),
        IndexDef::new("Absent", &["Place"]),
        IndexDef::new("Carries", &["Name"]).include("Place"),
    ];
    let options = json!({"create_indexes": true, "columns": ["Id", "Name", "Note"]});
    let site = Site::defined(vec![("Orders", indexed(indexes.to_vec()))], options).await;
    let body = site.sync().await;
    for (index, reason) in [
        ("CS", "columnstore"),
        ("Off", "disabled"),
        ("Advised", "hypothetical"),
        ("Odd", "([Name]=N'x')"),
        ("Absent", "Place"),
        ("Carries", "Place"),
    ] {
        assert!(warned(&body, &format!("index {index} ")).contains(reason), "{index}: {body}");
    }
    assert_eq!(
        index_definitions(&site).await,
        [
            "CREATE INDEX orders_carries ON public.orders USING btree (name)",
            "CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_name_is_taken_or_too_long_gets_another() {
    let long = format!("IX_{}", "顧".repeat(40));
    let indexes = vec![IndexDef::new("Name", &["Name"]), IndexDef::new(&long, &["Note"])];
    let site = Site::defined(vec![("Orders", indexed(indexes))], json!({"create_indexes": true})).await;
    site.db.execute("CREATE TABLE orders_name (id int)").await;
    site.sync().await;
    let names = site
        .db
        .rows("SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE indrelid = 'orders'::regclass AND NOT indisprimary")
        .await;
    assert_eq!(names.len(), 2);
    for name in names.iter().map(|row| row[0].as_deref().unwrap()) {
        assert!(name.starts_with("orders_name_") || name.starts_with("orders_ix_顧"), "{name}");
        assert!(name.len() <= 63, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_built_fails_the_table_and_says_how_to_do_without() {
    // Too random to be compressed below what a btree takes.
    let mut random = fastrand::Rng::with_seed(1);
    let long: String = (0..9_000).map(|_| random.alphanumeric()).collect();
    let table = TableDef::new("McTM", "dbo", "Orders").required("Id", "int").column("Note", "nvarchar(max)").key(&["Id"]);
    let table = table.index(IndexDef::new("IX_Note", &["Id"]).include("Note")).row([Value::Int(1), Value::text(&long)]);
    let site = Site::defined(vec![("Orders", table)], json!({"create_indexes": true})).await;
    let body = site.json(&["multi_sync"]).await;
    let error = body.error_of("orders");
    assert!(error.contains("orders_ix_note") && error.contains("\"create_indexes\": false"), "{body}");
    assert!(!error.contains(&long[..50]), "{body}");
    assert_eq!(site.db.value("SELECT to_regclass('orders') IS NULL").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_refuse_are_named_and_the_table_is_made_without_what_they_hold() {
    let views = ["sys.identity_columns", "sys.default_constraints", "sys.computed_columns", "sys.extended_properties"];
    let table = TableDef::new("McTM", "dbo", "Orders")
        .required("Id", "int")
        .identity_of(5, 5)
        .required("Name", "nvarchar(50)")
        .default_of("(N'x')")
        .column("Twice", "int")
        .computed("([Id]*(2))")
        .key(&["Id"])
        .row([Value::Int(10), Value::text("a"), Value::Int(20)]);
    let site = Site::defined(vec![("Orders", table)], json!({})).await;
    views.iter().for_each(|view| site.source.deny(view));
    let body = site.sync().await;
    for view in views {
        warned(&body, view);
    }
    assert_eq!(numbered(&site, "INSERT INTO orders (name) VALUES ('new') RETURNING id").await, "11");
    assert_eq!(site.db.value("SELECT string_agg(concat_ws(' ', id, name, twice), ';' ORDER BY id) FROM orders").await, "10 a 20;11 new");
    // The second run needs none of it.
    assert!(warnings(&site.sync().await).is_empty());
}

/// `Orders`, with an identity that begins at 1.
fn orders() -> TableDef {
    TableDef::new("McTM", "dbo", "Orders").required("Id", "int").identity_of(1, 1).required("Name", "nvarchar(50)").key(&["Id"])
}

fn order(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::text(name)]
}

/// `Orders` with columns to index, and two rows.
fn indexed(indexes: Vec<IndexDef>) -> TableDef {
    let table = TableDef::new("McTM", "dbo", "Orders").required("Id", "int").required("Name", "nvarchar(50)");
    let table = table.column("Place", "int").column("Note", "nvarchar(max)").key(&["Id"]);
    let row = |id, name, place| [Value::Int(id), Value::text(name), place, Value::Null];
    indexes.into_iter().fold(table, TableDef::index).row(row(1, "a", Value::Null)).row(row(2, "b", Value::Int(3)))
}

async fn identity(site: &Site, table: &str, column: &str) -> String {
    site.db.value(&format!("SELECT attidentity FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = '{column}'")).await
}

/// The number that a statement gives.
async fn numbered(site: &Site, sql: &str) -> String {
    site.db.value(sql).await
}

async fn index_definitions(site: &Site) -> Vec<String> {
    let sql = "SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = 'orders'::regclass ORDER BY relname";
    site.db.rows(sql).await.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

/// What was said of the tables.
fn warnings(body: &Body) -> Vec<&str> {
    let all = body["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap());
    all.filter(|warning| warning.starts_with("table ")).collect()
}

/// The one warning with this text.
fn warned<'a>(body: &'a Body, text: &str) -> &'a str {
    let mut found = warnings(body).into_iter().filter(|warning| warning.contains(text));
    let first = found.next().unwrap_or_else(|| panic!("no warning of {text}: {body}"));
    assert!(found.next().is_none(), "{text} twice: {body}");
    first
}
