//! Defaults as SQL Server's catalogue spells them, and what PostgreSQL gets.

use super::*;
use crate::table::ValueKind;

/// What `definition` becomes on a column declared so; an error's text where it does not.
fn default(definition: &str, declared: &str, pg_type: PgType) -> Result<Option<String>, String> {
    let column = SourceColumn {
        column_id: 1,
        name: "c".to_owned(),
        declared: declared.to_owned(),
        kind: Ok(ValueKind::Bool),
        nullable: true,
        collation: None,
        converted: None,
        second_digits: None,
    };
    translate(definition, &column, &pg_type, None)
}

const VARCHAR: PgType = PgType::Varchar(Some(10));
const MONEY: PgType = PgType::Numeric(Some((19, 4)));
const DATETIME: PgType = PgType::Timestamp(Some(3));

#[test]
fn known_defaults_are_translated_for_the_columns_type() {
    let cases = [
        ("((0))", "bit", PgType::Bool, "false"),
        ("((1))", "bit", PgType::Bool, "true"),
        ("('True')", "bit", PgType::Bool, "true"),
        ("(CONVERT([bit],(0)))", "bit", PgType::Bool, "false"),
        ("(CONVERT([bit],'true',0))", "bit", PgType::Bool, "true"),
        ("((0))", "tinyint", PgType::Int2, "0"),
        ("((-1))", "int", PgType::Int4, "-1"),
        ("(-(1))", "int", PgType::Int4, "-1"),
        ("((+5))", "int", PgType::Int4, "5"),
        ("((1.00))", "int", PgType::Int4, "1"),
        ("('7')", "int", PgType::Int4, "7"),
        ("('')", "int", PgType::Int4, "0"),
        ("((9223372036854775807.))", "bigint", PgType::Int8, "9223372036854775807"),
        ("((0.00))", "money", MONEY, "0.00"),
        ("((12.5))", "decimal(5,1)", PgType::Numeric(Some((5, 1))), "12.5"),
        ("((-.5))", "decimal(1,1)", PgType::Numeric(Some((1, 1))), "-.5"),
        ("(CONVERT([decimal](5,2),(1.25)))", "decimal(5,2)", PgType::Numeric(Some((5, 2))), "1.25"),
        ("((1.5e-3))", "float", PgType::Float8, "1.5e-3"),
        ("((3))", "real", PgType::Float4, "3"),
        ("('x')", "varchar(10)", VARCHAR, "'x'"),
        ("(N'x')", "nvarchar(10)", VARCHAR, "'x'"),
        ("(N'日本')", "nvarchar(10)", VARCHAR, "'日本'"),
        ("('it''s')", "varchar(10)", VARCHAR, "'it''s'"),
        ("('a\\b')", "varchar(10)", VARCHAR, "E'a\\\\b'"),
        ("('')", "varchar(10)", VARCHAR, "''"),
        ("((0))", "varchar(10)", VARCHAR, "'0'"),
        ("('N')", "char(3)", PgType::Varchar(Some(3)), "'N  '"),
        ("('x')", "nvarchar(max)", PgType::Text, "'x'"),
        ("(CONVERT([nvarchar](5),N'abc'))", "nvarchar(5)", VARCHAR, "'abc'"),
        ("(CAST('abc' AS varchar(5)))", "varchar(5)", VARCHAR, "'abc'"),
        ("(newid())", "varchar(36)", PgType::Varchar(Some(36)), "upper(gen_random_uuid()::text)"),
        ("(newid())", "uniqueidentifier", PgType::Uuid, "gen_random_uuid()"),
        ("(newsequentialid())", "uniqueidentifier", PgType::Uuid, "gen_random_uuid()"),
        ("('00000000-0000-0000-0000-000000000000')", "uniqueidentifier", PgType::Uuid, "'00000000-0000-0000-0000-000000000000'"),
        (
            "(CONVERT([uniqueidentifier],'{0E984725-C51C-4BF4-9960-E1C80E27ABA0}'))",
            "uniqueidentifier",
            PgType::Uuid,
            "'0e984725-c51c-4bf4-9960-e1c80e27aba0'",
        ),
        ("(getdate())", "datetime", DATETIME, "LOCALTIMESTAMP"),
        ("(GETDATE())", "datetime", DATETIME, "LOCALTIMESTAMP"),
        ("(sysdatetime())", "datetime2(7)", PgType::Timestamp(None), "LOCALTIMESTAMP"),
        ("(CURRENT_TIMESTAMP)", "datetime", DATETIME, "LOCALTIMESTAMP"),
        ("(getutcdate())", "datetime", DATETIME, "(now() AT TIME ZONE 'UTC')"),
        ("(sysutcdatetime())", "datetime2(7)", PgType::Timestamp(None), "(now() AT TIME ZONE 'UTC')"),
        ("(sysdatetimeoffset())", "datetimeoffset(7)", PgType::TimestampTz(None), "now()"),
        ("(getdate())", "date", PgType::Date, "CURRENT_DATE"),
        ("(CONVERT([date],getdate()))", "date", PgType::Date, "CURRENT_DATE"),
        ("(CONVERT([date],getutcdate()))", "datetime", DATETIME, "(now() AT TIME ZONE 'UTC')::date"),
        ("(CONVERT([time],getdate()))", "time(7)", PgType::Time(None), "LOCALTIME"),
        ("('1900-01-01')", "date", PgType::Date, "'1900-01-01'"),
        ("('20200229')", "datetime", DATETIME, "'2020-02-29 00:00:00'"),
        ("('1900-01-01T00:00:00.000')", "datetime", DATETIME, "'1900-01-01 00:00:00'"),
        ("('9999-12-31 23:59:59.9999999')", "datetime2(7)", PgType::Timestamp(None), "'9999-12-31 23:59:59.999999'"),
        ("(CONVERT([datetime],'19990101',(112)))", "datetime", DATETIME, "'1999-01-01 00:00:00'"),
        ("((0))", "datetime", DATETIME, "'1900-01-01 00:00:00'"),
        ("('')", "datetime", DATETIME, "'1900-01-01 00:00:00'"),
        ("('2020-01-01')", "datetimeoffset(7)", PgType::TimestampTz(None), "'2020-01-01 00:00:00+00'"),
        ("('12:30')", "time(0)", PgType::Time(None), "'12:30:00'"),
        ("(0x00ff)", "varbinary(8)", PgType::Bytea, "decode('00ff', 'hex')"),
        ("(0xF)", "binary(2)", PgType::Bytea, "decode('0f00', 'hex')"),
    ];
    for (definition, declared, pg_type, expected) in cases {
        assert_eq!(default(definition, declared, pg_type), Ok(Some(expected.to_owned())), "{definition} on {declared}");
    }
}

#[test]
fn null_needs_no_default() {
    for definition in ["(NULL)", "((null))", "(CONVERT([int],NULL))"] {
        assert_eq!(default(definition, "int", PgType::Int4), Ok(None), "{definition}");
    }
}

#[test]
fn what_is_not_known_to_do_the_same_is_dropped() {
    let cases = [
        ("(suser_sname())", "nvarchar(128)", PgType::Text),
        ("([dbo].[next_number]())", "int", PgType::Int4),
        ("(NEXT VALUE FOR [dbo].[seq])", "int", PgType::Int4),
        ("(dateadd(day,(1),getdate()))", "datetime", DATETIME),
        ("(getdate()+(1))", "datetime", DATETIME),
        ("((1)+(1))", "int", PgType::Int4),
        ("('a'+'b')", "varchar(10)", VARCHAR),
        ("((1.5))", "int", PgType::Int4),
        ("((70000))", "smallint", PgType::Int2),
        ("('x')", "int", PgType::Int4),
        ("('maybe')", "bit", PgType::Bool),
        ("('12345678901')", "varchar(10)", VARCHAR),
        ("(getdate())", "varchar(10)", VARCHAR),
        ("(CONVERT([varchar](10),getdate(),(120)))", "varchar(10)", VARCHAR),
        ("(CONVERT([varchar](2),'abc'))", "varchar(10)", VARCHAR),
        ("(CONVERT([decimal](5,0),(1.6)))", "decimal(5,0)", PgType::Numeric(Some((5, 0)))),
        ("((1234.5))", "decimal(4,1)", PgType::Numeric(Some((4, 1)))),
        ("('01/02/2020')", "datetime", DATETIME),
        ("('Jan 1 2020')", "datetime", DATETIME),
        ("('2020-02-30')", "datetime", DATETIME),
        ("('2020-01-01T00:00:00+09:00')", "datetimeoffset(7)", PgType::TimestampTz(None)),
        ("((0))", "datetime2(7)", PgType::Timestamp(None)),
        ("('not a uuid')", "uniqueidentifier", PgType::Uuid),
        ("(newid())", "varchar(10)", VARCHAR),
        ("($1.00)", "money", MONEY),
        ("('<a/>')", "xml", PgType::Xml),
        ("(case when 1=1 then 1 end)", "int", PgType::Int4),
        ("('unclosed", "varchar(10)", VARCHAR),
        ("", "int", PgType::Int4),
    ];
    for (definition, declared, pg_type) in cases {
        assert!(default(definition, declared, pg_type).is_err(), "{definition} on {declared}");
    }
}

#[test]
fn the_sources_clock_shows_its_own_zone_where_that_is_named() {
    let zone = TimeZone::get("Asia/Tokyo").unwrap();
    let column = SourceColumn {
        column_id: 1,
        name: "c".to_owned(),
        declared: "datetime".to_owned(),
        kind: Ok(ValueKind::Timestamp { digits: Some(3) }),
        nullable: true,
        collation: None,
        converted: None,
        second_digits: None,
    };
    let translated = |definition| translate(definition, &column, &DATETIME, Some(&zone));
    assert_eq!(translated("(getdate())"), Ok(Some("(now() AT TIME ZONE 'Asia/Tokyo')".to_owned())));
    assert_eq!(translated("(getutcdate())"), Ok(Some("(now() AT TIME ZONE 'UTC')".to_owned())));
}
