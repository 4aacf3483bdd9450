//! `geometry` and `geography`: well-known binary and the SRID beside it, or both together in PostGIS's types.

use tds_stand_in::{Spatial, TableDef, Value};

use super::{Planted, Type, arrive};

#[tokio::test(flavor = "multi_thread")]
async fn shapes_arrive_as_well_known_binary_with_z_and_m() {
    arrive(vec![
        Type::new(
            "geometry",
            "bytea",
            [
                (plane(0, None, None), format!("\\x0101000000{ONE}{TWO}")),
                (plane(3857, Some(3.0), None), format!("\\x01e9030000{ONE}{TWO}{THREE}")),
                (plane(0, None, Some(3.0)), format!("\\x01d1070000{ONE}{TWO}{THREE}")),
                (plane(0, Some(2.0), Some(3.0)), format!("\\x01b90b0000{ONE}{TWO}{TWO}{THREE}")),
            ],
        ),
        Type::new(
            "geography",
            "bytea",
            [
                (globe(4326, None), format!("\\x0101000000{ONE}{TWO}")),
                (globe(4326, Some(3.0)), format!("\\x01e9030000{ONE}{TWO}{THREE}")),
                (line().into(), line_as("\\x0102000000")),
            ],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_srid_stands_in_a_column_of_its_own() {
    let planted = Planted::of("T", "geometry", vec![plane(0, None, None), plane(3857, None, None), plane(999_999, None, None)]).await;
    planted.site.sync().await;
    let rows = planted.site.db.rows("SELECT v_srid, pg_typeof(v_srid) FROM t ORDER BY id").await;
    let srids: Vec<_> = rows.iter().map(|row| row[0].as_deref()).collect();
    assert_eq!(srids, [Some("0"), Some("3857"), Some("999999"), None]);
    assert_eq!(rows[0][1].as_deref(), Some("integer"));

    let missing = Planted::of("T", "geometry", vec![plane(0, None, None)]).await;
    missing.target("t", "bytea").await;
    let body = missing.site.json(&["multi_sync"]).await;
    for named in ["V", "v_srid", "integer"] {
        assert!(body.error_of("t").contains(named), "{named}: {body}");
    }
    assert!(!missing.was_read("T"), "no row moves");
}

/// PostGIS is not here, so a type of its name stands in whose binary form is the bytes as they come.
#[tokio::test(flavor = "multi_thread")]
async fn postgis_types_take_shape_and_srid_together() {
    for (sql_type, pg_type, value, srid) in
        [("geometry", "geometry", plane(3857, None, None), "110f0000"), ("geography", "geography", globe(4326, None), "e6100000")]
    {
        let planted = Planted::of("T", sql_type, vec![value]).await;
        planted
            .site
            .db
            .execute(&format!(
                "CREATE TYPE {pg_type}; \
                 CREATE FUNCTION shape_in(cstring) RETURNS {pg_type} LANGUAGE internal IMMUTABLE STRICT AS 'byteain'; \
                 CREATE FUNCTION shape_out({pg_type}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout'; \
                 CREATE FUNCTION shape_recv(internal) RETURNS {pg_type} LANGUAGE internal IMMUTABLE STRICT AS 'bytearecv'; \
                 CREATE TYPE {pg_type} (INPUT = shape_in, OUTPUT = shape_out, RECEIVE = shape_recv, INTERNALLENGTH = VARIABLE, STORAGE = extended)"
            ))
            .await;
        planted.target("t", pg_type).await;
        planted.site.sync().await;
        assert_eq!(planted.values("t").await, [Some(format!("\\x0101000020{srid}{ONE}{TWO}")), None], "{sql_type}");
        let before = planted.written().await;
        planted.site.sync().await;
        assert_eq!(planted.written().await, before, "the second run writes no row");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_globe_is_refused_with_column_and_row() {
    let table = TableDef::new("McTM", "dbo", "T").required("Id", "int").column("V", "geography").key(&["Id"]);
    let table = table.row([Value::Int(1), globe(4326, None)]).row([Value::Int(2), Spatial::full_globe(4326).into()]);
    let planted = Planted::over(vec![("T".to_owned(), table)]).await;
    let body = planted.site.json(&["multi_sync"]).await;
    for named in ["column V", "Id=2", "FullGlobe"] {
        assert!(body.error_of("t").contains(named), "{named}: {body}");
    }
    assert_eq!(planted.site.db.value("SELECT to_regclass('t')::text").await, "", "nothing was created");
}

/// 1.0, 2.0 and 3.0 as well-known binary writes them, the least significant byte first.
const ONE: &str = "000000000000f03f";
const TWO: &str = "0000000000000040";
const THREE: &str = "0000000000000840";

fn plane(srid: i32, z: Option<f64>, m: Option<f64>) -> Value {
    Spatial::geometry_point(srid, (1.0, 2.0), z, m).into()
}

fn globe(srid: i32, z: Option<f64>) -> Value {
    Spatial::geography_point(srid, (1.0, 2.0), z, None).into()
}

/// A line of two points, as the server would describe it; its stored bytes are never asked for.
fn line() -> Spatial {
    let numbers = [1.0_f64, 2.0, 2.0, 3.0].map(f64::to_le_bytes).concat();
    let wkb = [&[1, 2, 0, 0, 0, 2, 0, 0, 0][..], &numbers].concat();
    Spatial::given(&[0], &wkb, 4326, "LineString", "LINESTRING (1 2, 2 3)")
}

fn line_as(head: &str) -> String {
    format!("{head}02000000{ONE}{TWO}{TWO}{THREE}")
}
