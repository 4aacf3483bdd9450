//! Foreign keys that the product makes at the end of a run, and how refreshes go on beside them.

use serde_json::json;

use super::{warned, warnings};
use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{ForeignKeyDef, TableDef, Value};

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_stand_when_the_run_ends_whatever_the_order_of_the_tables() {
    for tables in [["Orders", "Customers"], ["Customers", "Orders"]] {
        let site = shop(tables, vec![customer(1), customer(2)], vec![order(1, Some(1)), order(2, None)]).await;
        let body = site.sync().await;
        assert_eq!(
            constraints(&site).await,
            ["orders fk_orders_customers FOREIGN KEY (customer) REFERENCES customers(id) DEFERRABLE INITIALLY DEFERRED"],
            "{tables:?}: {body}"
        );
        assert!(warned(&body, "FK_Orders_Customers").contains("ON DELETE CASCADE"), "{body}");
        // The difference was told when the key was made.
        assert!(warnings(&site.sync().await).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_has_the_foreign_keys_that_the_run_makes_and_none_that_stand() {
    let site = shop(["Orders", "Customers"], vec![customer(1)], vec![order(1, Some(1))]).await;
    let added = |body: &Body| {
        let ddl = body["plans"]["orders"]["ddl"].as_array().unwrap().clone();
        ddl.into_iter().map(|line| line.as_str().unwrap().to_owned()).filter(|line| line.contains("fk_orders")).collect::<Vec<_>>()
    };
    let body = site.json(&["plan"]).await;
    assert_eq!(
        added(&body),
        [
            "ALTER TABLE \"public\".\"orders\" ADD CONSTRAINT \"fk_orders_customers\" FOREIGN KEY (\"customer\") \
             REFERENCES \"public\".\"customers\" (\"id\") DEFERRABLE INITIALLY DEFERRED NOT VALID",
            "ALTER TABLE \"public\".\"orders\" VALIDATE CONSTRAINT \"fk_orders_customers\"",
        ],
        "{body}"
    );
    let plan = &body["plans"]["orders"];
    assert!(
        plan["locks"].to_string().contains("foreign key fk_orders_customers") && plan["warnings"].to_string().contains("ON DELETE CASCADE"),
        "{body}"
    );
    site.sync().await;
    assert!(added(&site.json(&["plan"]).await).is_empty(), "it stands");

    let mut site = shop(["Orders", "Customers"], vec![], vec![]).await;
    site.keep(&["orders"]);
    let body = site.json(&["plan"]).await;
    assert!(body["plans"]["orders"]["warnings"].to_string().contains("not a configured table") && added(&body).is_empty(), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_go_on_beside_foreign_keys_in_any_order() {
    for refresh in ["auto", "replace"] {
        for tables in [["Orders", "Customers"], ["Customers", "Orders"]] {
            let mut site = shop(tables, vec![customer(1), customer(2)], vec![order(1, Some(1)), order(2, Some(2))]).await;
            site.default("refresh", json!(refresh));
            site.sync().await;
            // Every order points elsewhere, and what it pointed at is gone.
            site.source.replace_rows("Customers", vec![customer(3)]);
            site.source.replace_rows("Orders", vec![order(1, Some(3)), order(5, Some(3))]);
            let body = site.sync().await;
            assert_eq!(constraints(&site).await.len(), 1, "{refresh} {tables:?}: {body}");
            assert_eq!(site.db.value("SELECT string_agg(id || ' ' || customer, ';' ORDER BY id) FROM orders").await, "1 3;5 3");
            assert_eq!(site.db.value("SELECT string_agg(id::text, ';') FROM customers").await, "3");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_that_was_taken_down_for_a_publish_that_failed_is_told() {
    let mut site = shop(["Customers", "Orders"], vec![customer(1), customer(2)], vec![order(1, Some(1))]).await;
    site.sync().await;
    // Checked after the one of our making.
    site.db
        .execute("CREATE TABLE audits (customer int REFERENCES customers DEFERRABLE INITIALLY DEFERRED); INSERT INTO audits VALUES (1)")
        .await;
    site.keep(&["customers"]);
    site.source.replace_rows("Customers", vec![customer(2)]);
    let body = site.json(&["multi_sync"]).await;
    assert!(body.error_of("customers").contains("audits"), "{body}");
    assert!(warned(&body, "fk_orders_customers").contains("taken down"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_target_is_filled_again_before_the_rows_that_it_points_at() {
    let site = shop(["Orders", "Customers"], vec![customer(1)], vec![order(1, Some(1))]).await;
    site.sync().await;
    site.db.execute("DELETE FROM orders; DELETE FROM customers").await;
    let body = site.sync().await;
    assert_eq!((body.counts("orders"), constraints(&site).await.len()), ([1, 1, 0, 0, 0], 1), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_point_nowhere_are_a_warning_until_they_do_not() {
    let site = shop(["Customers", "Orders"], vec![customer(1)], vec![order(1, Some(1)), order(2, Some(7_070_707))]).await;
    let body = site.sync().await;
    assert!(warned(&body, "fk_orders_customers").contains("23503"), "{body}");
    assert!(!body.to_string().contains("7070707"), "{body}");
    assert!(constraints(&site).await.is_empty());
    site.source.replace_rows("Orders", vec![order(1, Some(1))]);
    site.sync().await;
    assert_eq!(constraints(&site).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_may_point_at_themselves_and_at_each_other() {
    let table = |name: &str, other: &str| {
        TableDef::new("McTM", "dbo", name)
            .required("Id", "int")
            .column("Boss", "int")
            .column("Peer", "int")
            .key(&["Id"])
            .foreign_key(ForeignKeyDef::new(&format!("FK_{name}_Boss"), &["Boss"], ("dbo", name), &["Id"]))
            .foreign_key(ForeignKeyDef::new(&format!("FK_{name}_Peer"), &["Peer"], ("dbo", other), &["Id"]))
            .row([Value::Int(1), Value::Int(2), Value::Int(2)])
            .row([Value::Int(2), Value::Null, Value::Int(1)])
    };
    let tables = vec![("Left", table("Left", "Right")), ("Right", table("Right", "Left"))];
    let site = Site::defined(tables, json!({"create_foreign_keys": true})).await;
    let body = site.sync().await;
    assert_eq!(constraints(&site).await.len(), 4, "{body}");
    assert!(warnings(&body).is_empty(), "{body}");
    assert!(warnings(&site.sync().await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_is_named_with_the_reason() {
    let customers = || customers(vec![customer(1)]);
    let orders = TableDef::new("McTM", "dbo", "Orders")
        .required("Id", "int")
        .column("Customer", "int")
        .column("Shop", "int")
        .key(&["Id"])
        .foreign_key(ForeignKeyDef::new("FK_Off", &["Customer"], ("dbo", "Customers"), &["Id"]).disabled())
        .foreign_key(ForeignKeyDef::new("FK_Elsewhere", &["Customer"], ("dbo", "Shops"), &["Id"]))
        .foreign_key(ForeignKeyDef::new("FK_Narrow", &["Customer"], ("dbo", "Customers"), &["Old"]))
        .foreign_key(ForeignKeyDef::new("FK_Unread", &["Shop"], ("dbo", "Customers"), &["Id"]));
    let shops = TableDef::new("McTM", "dbo", "Shops").required("Id", "int").key(&["Id"]);
    let tables = vec![("Customers", customers()), ("Shops", shops), ("Orders", orders)];
    let mut site = Site::defined(tables, json!({})).await;
    site.keep(&["customers"]);
    site.configure("orders", "dbo.Orders", &json!({"columns": ["Id", "Customer"], "create_foreign_keys": true}));
    let body = site.sync().await;
    for (key, reason) in [("FK_Off", "disabled"), ("FK_Elsewhere", "[dbo].[Shops]"), ("FK_Narrow", "unique"), ("FK_Unread", "Shop")] {
        assert!(warned(&body, &format!("foreign key {key} ")).contains(reason), "{key}: {body}");
    }
    assert!(constraints(&site).await.is_empty());

    site.source.deny("sys.foreign_keys");
    assert!(warned(&site.sync().await, "sys.foreign_keys").contains("cannot be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_truncated_is_not_pointed_at() {
    let mut site = shop(["Customers", "Orders"], vec![customer(1)], vec![order(1, Some(1))]).await;
    site.default("refresh", json!("truncate"));
    for _ in 0..2 {
        let body = site.sync().await;
        assert!(warned(&body, "FK_Orders_Customers").contains("truncate"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_foreign_keys_are_not_asked_for() {
    let mut site = shop(["Customers", "Orders"], vec![customer(1)], vec![order(1, Some(1))]).await;
    for (name, table) in [("customers", "dbo.Customers"), ("orders", "dbo.Orders")] {
        site.configure(name, table, &json!({"create_foreign_keys": false}));
    }
    site.sync().await;
    assert!(constraints(&site).await.is_empty());
    assert!(!site.source.has_seen("foreign_keys"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_of_somebody_else_stands_and_stops_what_breaks_it() {
    let site = shop(["Customers", "Orders"], vec![customer(1)], vec![order(1, Some(1))]).await;
    site.db
        .execute(
            "SET ROLE sync; CREATE TABLE customers (id integer PRIMARY KEY, old integer); CREATE TABLE orders (id integer PRIMARY KEY, \
             customer integer CONSTRAINT mine REFERENCES customers (id)); INSERT INTO customers VALUES (9); INSERT INTO orders VALUES (9, 9); RESET ROLE",
        )
        .await;
    let body = site.json(&["multi_sync"]).await;
    assert!(body.error_of("customers").contains("mine"), "{body}");
    assert!(constraints(&site).await[0].starts_with("orders mine "), "{body}");
}

/// `Customers` and `Orders`, which point at them, in this order of the run.
async fn shop(tables: [&'static str; 2], rows: Vec<Vec<Value>>, orders: Vec<Vec<Value>>) -> Site {
    let key = ForeignKeyDef::new("FK_Orders_Customers", &["Customer"], ("dbo", "Customers"), &["Id"]).actions(1, 0);
    let pointing = TableDef::new("McTM", "dbo", "Orders").required("Id", "int").column("Customer", "int").key(&["Id"]).foreign_key(key);
    let pointing = orders.into_iter().fold(pointing, TableDef::row);
    let mut made = vec![("Customers", customers(rows)), ("Orders", pointing)];
    made.sort_by_key(|(name, _)| tables.iter().position(|table| table == name));
    Site::defined(made, json!({"create_foreign_keys": true})).await
}

fn customers(rows: Vec<Vec<Value>>) -> TableDef {
    let table = TableDef::new("McTM", "dbo", "Customers").required("Id", "int").column("Old", "int").key(&["Id"]);
    rows.into_iter().fold(table, TableDef::row)
}

fn customer(id: i64) -> Vec<Value> {
    vec![Value::Int(id), Value::Null]
}

fn order(id: i64, customer: Option<i64>) -> Vec<Value> {
    vec![Value::Int(id), customer.map_or(Value::Null, Value::Int)]
}

/// The foreign keys of all tables, checked ones only.
async fn constraints(site: &Site) -> Vec<String> {
    let sql = "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
        WHERE contype = 'f' AND convalidated ORDER BY conname";
    site.db.rows(sql).await.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}
