//! The list of `CONFIG_PATH` under every command, alone and beside a table configuration.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::postgres::{FINDINGS, Pair};
use crate::support::body::Body;
use crate::support::lambda::Function;
use crate::support::postgres::PASSWORD;

/// Five rows at the source, none in the target.
async fn five() -> Pair {
    let mut pair = Pair::new(FINDINGS).await;
    pair.config = json!([{"name": "public.findings", "key_columns": ["id"]}]);
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, now() FROM generate_series(1, 5) n").await;
    pair
}

impl Pair {
    /// Puts a table configuration beside the list, with the table under another name.
    fn add_table_configuration(&mut self) {
        let dsn = self.env[0].1.clone();
        self.set("SOURCE_SCOUT_DSN", &dsn);
        let table = json!({"db_type": "scout", "sql_table": "findings", "pg_table": "findings"});
        std::fs::write(self.dir.path().join("table_configs.json"), json!({"tables": {"all": table}}).to_string()).unwrap();
    }
}

async fn well(pair: &Pair, command: &[&str]) -> Body {
    let body = pair.asked(command).await;
    assert_eq!((body.code, &body["success"]), (Some(0), &json!(true)), "{command:?}: {body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_the_list_is_what_every_command_is_about() {
    let pair = five().await;
    let checked = well(&pair, &["config", "check"]).await;
    assert_eq!((&checked["tables"], &checked["sources"][0]["db_type"]), (&json!(["public.findings"]), &json!("source")), "{checked}");
    let tested = well(&pair, &["multi_test"]).await;
    assert_eq!((&tested["successful_connections"], tested.table("public.findings")["overall_success"].as_bool()), (&json!(1), Some(true)));
    let planned = well(&pair, &["plan"]).await;
    assert_eq!(planned["plans"]["public.findings"]["refresh"], "incremental", "{planned}");
    let unknown = well(&pair, &["info"]).await;
    assert_eq!((&unknown["table_details"][0]["last_sync"], &unknown["table_details"][0]["watermark"]), (&Json::Null, &Json::Null));
    let dry = well(&pair, &["incremental_sync", "--table", "public.findings", "--dry-run"]).await;
    assert_eq!(dry.table("public.findings")["would_insert"], 5, "{dry}");
    let one = well(&pair, &["single_sync", "--table", "public.findings"]).await;
    assert_eq!((&one["inserted"], &one["refresh"]), (&json!(5), &json!("incremental")), "{one}");
    assert_eq!(well(&pair, &["multi_sync", "--reset", "public.findings"]).await.counts("public.findings"), [5, 0, 0, 0, 5]);
    let verified = well(&pair, &["verify"]).await;
    assert_eq!(verified.table("public.findings")["compared_rows"], 5, "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn info_tells_how_far_each_table_is_copied_since_when_and_by_which_run() {
    let mut pair = five().await;
    pair.sync().await;
    pair.config.as_array_mut().unwrap().push(json!({"name": "assets", "key_columns": ["id"]}));
    let info = well(&pair, &["info"]).await;
    let (findings, assets) = (&info["table_details"][0], &info["table_details"][1]);
    assert_eq!(info["available_tables"], json!(["public.findings", "assets"]), "{info}");
    let written = "SELECT watermark, to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM sync_meta";
    let row = pair.to.rows(written).await.remove(0);
    assert_eq!(findings["watermark"]["watermark"], json!(row[0]), "{info}");
    assert_eq!(findings["watermark"]["at"].as_str().map(|at| &at[..22]), row[1].as_deref().map(|at| &at[..22]), "{info}");
    assert!(findings["watermark"]["lag_seconds"].as_f64().is_some_and(|lag| lag < 600.0), "{info}");
    assert_eq!((&findings["last_sync"]["outcome"], &findings["last_sync"]["rows"]), (&json!("succeeded"), &json!(5)), "{info}");
    assert_eq!(
        (&findings["refresh"], &findings["column_count"], &findings["sql_server_db"]),
        (&json!("incremental"), &json!(4), &json!(pair.from.name))
    );
    assert_eq!((&assets["last_sync"], assets.get("watermark")), (&Json::Null, None), "{info}");
    let text = pair.run(&["info"]).await.stdout;
    assert!(text.contains("public.findings: copied up to 2") && text.contains("assets: no watermark is known"), "{text}");
    // The service before keeps the name in another form, and does not say when.
    pair.to.execute("DROP TABLE sync_meta; CREATE TABLE sync_meta (name text, last_sync timestamptz); INSERT INTO sync_meta VALUES ('public.assets', '2026-01-01Z'); ALTER TABLE sync_meta OWNER TO sync").await;
    let info = well(&pair, &["info"]).await;
    let watermark = &info["table_details"][1]["watermark"];
    assert_eq!((&watermark["watermark"], &watermark["at"]), (&json!("2026-01-01T00:00:00.000000Z"), &Json::Null), "{info}");
    // Nor need it have written the schema.
    pair.to.execute("UPDATE sync_meta SET name = 'findings'").await;
    let info = well(&pair, &["info"]).await;
    assert_eq!(info["table_details"][0]["watermark"]["kind"], "timestamp", "{info}");
    assert_eq!(
        well(&pair, &["incremental_sync", "--table=public.findings"]).await.table("public.findings")["from"],
        "2026-01-01T00:00:00Z"
    );
    assert_eq!(pair.to.value("SELECT string_agg(table_name, ',') FROM sync_meta").await, "public.findings");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dsn_without_a_password_is_told_where_one_belongs() {
    let mut pair = five().await;
    for name in ["SOURCE_DSN", "TARGET_DSN"] {
        let good = pair.env.clone();
        let dsn = pair.env.iter().find(|(other, _)| other == name).unwrap().1.replace(&format!(":{PASSWORD}@"), "@");
        pair.set(name, &dsn);
        let tested = pair.asked(&["multi_test"]).await;
        let expected = format!(
            "asks for a password, and none is set. Set it in {name}, or name a secret that has it with {}",
            name.replace("DSN", "SECRET_ID")
        );
        assert!(tested.code == Some(1) && tested["error"].as_str().unwrap().contains(&expected), "{tested}");
        pair.env = good;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_table_configuration_the_list_is_shown_and_taken_by_its_tables_names() {
    let mut pair = five().await;
    pair.add_table_configuration();
    let info = well(&pair, &["info"]).await;
    assert_eq!((&info["available_tables"], &info["default_sync_order"]), (&json!(["all", "public.findings"]), &json!(["all"])), "{info}");
    let checked = well(&pair, &["config", "check"]).await;
    assert_eq!((&checked["tables"], &checked["list"]["tables"]), (&json!(["all"]), &json!(["public.findings"])), "{checked}");
    let tested = well(&pair, &["multi_test"]).await;
    assert!(tested.table("all")["overall_success"] == true, "{tested}");
    assert!(tested["warnings"][0].as_str().unwrap().contains("config.json lists tables of its own"), "{tested}");
    for command in [&["multi_test"][..], &["plan"], &["multi_sync", "--dry-run"], &["single_sync", "--dry-run"]] {
        let body = well(&pair, &[command, &["--table", "public.findings"]].concat()).await;
        assert_eq!(body["warnings"].as_array().unwrap().len(), 0, "{body}");
    }
    assert_eq!(well(&pair, &["incremental_sync"]).await.counts("public.findings"), [5, 5, 0, 0, 0]);
    let of_both = pair.asked(&["multi_test", "--tables=all,public.findings"]).await;
    let sentence = "public.findings is in config.json: a request takes tables of table_configs.json or of config.json, not of both";
    assert!(of_both.code == Some(2) && of_both["error"].as_str().unwrap().contains(sentence), "{of_both}");
    let short = pair.asked(&["incremental_sync", "--table", "findings"]).await;
    assert!(short.code == Some(2) && short["error"].as_str().unwrap().contains("(did you mean \"public.findings\"?)"), "{short}");
    // A file of this name that nobody has named may be of something else.
    pair.config = json!({"compilerOptions": {}});
    assert_eq!(well(&pair, &["info"]).await["available_tables"], json!(["all"]));
    assert!(well(&pair, &["config", "check"]).await["warnings"].as_array().unwrap().is_empty());
    pair.set("CONFIG_PATH", "config.json");
    let named = well(&pair, &["info"]).await;
    assert!(named["warnings"][0].as_str().unwrap().contains("the list of CONFIG_PATH is left out: config.json"), "{named}");
    assert_eq!(pair.asked(&["config", "check"]).await.code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn config_names_the_only_file_whichever_form_it_has() {
    let mut pair = five().await;
    pair.add_table_configuration();
    let listed = well(&pair, &["info", "--config=config.json"]).await;
    assert_eq!(listed["available_tables"], json!(["public.findings"]), "{listed}");
    let refused = pair.asked(&["incremental_sync", "--config=table_configs.json"]).await;
    assert!(refused.code == Some(2) && refused["error"].as_str().unwrap().contains("no table has \"sync\""), "{refused}");
    let dir = pair.dir.path().to_owned();
    std::fs::remove_file(dir.join("table_configs.json")).unwrap();
    pair.set("CONFIG_PATH", "nowhere.json");
    let refused = pair.asked(&["multi_test"]).await;
    let sentence = "there is neither a table configuration (table_configs.json) nor a list of tables (nowhere.json)";
    assert!(refused.code == Some(2) && refused["error"].as_str().unwrap().contains(sentence), "{refused}");
    pair.add_table_configuration();
    let refused = pair.asked(&["incremental_sync"]).await;
    assert!(refused["error"].as_str().unwrap().contains("CONFIG_PATH names nowhere.json, which is not there"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_a_table_that_does_not_run_is_refused() {
    let mut pair = five().await;
    pair.config.as_array_mut().unwrap().push(json!({"name": "assets", "key_columns": ["id"]}));
    let refused = pair.asked(&["incremental_sync", "--tables=public.findings", "--reset=assets"]).await;
    let sentence = "reset names \"assets\", which is not among the tables asked for";
    assert!(refused.code == Some(2) && refused["error"].as_str().unwrap().contains(sentence), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dsn_that_does_not_verify_is_one_warning_a_run() {
    let mut pair = five().await;
    for name in ["SOURCE_DSN", "TARGET_DSN"] {
        let dsn = pair.env.iter().find(|(other, _)| other == name).unwrap().1.clone();
        pair.set(name, &format!("{dsn}?sslmode=prefer"));
    }
    // Not what the list's tables go to.
    pair.set("PG_HOST", "pg.example.com").set("PG_SSLMODE", "require");
    let body = pair.sync().await;
    let said: Vec<_> = body["warnings"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect();
    let expected = ["the source", "the target"].map(|whose| {
        format!("sslmode=prefer in {}_DSN: the certificate of {whose} is not verified", whose.trim_start_matches("the ").to_uppercase())
    });
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_with_nothing_but_a_list_knows_it_in_every_mode() {
    let pair = five().await;
    std::fs::write(pair.dir.path().join("config.json"), pair.config.to_string()).unwrap();
    let mut function = Function::start(&pair.env, pair.dir.path()).await;
    let mut invoked = async |event: &str| {
        let body = Body::in_envelope(&function.invoke(event, Duration::from_secs(60)).await);
        assert_eq!(body["success"], true, "{event}: {body}");
        body
    };
    assert_eq!(invoked("{}").await.counts("public.findings"), [5, 5, 0, 0, 0]);
    let anew = invoked(r#"{"mode": "incremental_sync", "reset": "public.findings"}"#).await;
    assert_eq!(anew.counts("public.findings"), [5, 0, 0, 0, 5], "{anew}");
    let tested = invoked(r#"{"mode": "multi_test", "tables": "public.findings"}"#).await;
    assert_eq!(tested["successful_connections"], 1, "{tested}");
    let info = invoked(r#"{"mode": "info"}"#).await;
    let findings = &info["table_details"][0];
    assert_eq!((&findings["table_name"], &findings["last_sync"]["rows"]), (&json!("public.findings"), &json!(5)), "{info}");
    assert!(findings["watermark"]["lag_seconds"].is_number() && findings["watermark"]["at"].is_string(), "{info}");
    function.shut_down().await;
}
