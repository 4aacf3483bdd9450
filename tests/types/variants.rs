//! `sql_variant` by the type of each value, and `hierarchyid`: text, made by the server.

use tds_stand_in::Value::{
    self, Binary, Bit, Date, DateTime, DateTime2, DateTimeOffset, Decimal, Float, Guid, Int, Money, Narrow, Real, SmallDateTime, Time,
};

use super::{Type, arrive};

/// 12:34:56.1234567 of 2000-01-01.
const NOONISH: u64 = 452_961_234_567;
const Y2K: i32 = 730_119;

#[tokio::test(flavor = "multi_thread")]
async fn a_variants_numbers_keep_all_their_digits() {
    arrive(vec![Type::new(
        "sql_variant",
        "text",
        [
            of("bit", Bit(true), "1"),
            of("tinyint", Int(255), "255"),
            of("smallint", Int(-32_768), "-32768"),
            of("int", Int(0), "0"),
            of("bigint", Int(i64::MIN), "-9223372036854775808"),
            of(
                "decimal(38,10)",
                Decimal(-99_999_999_999_999_999_999_999_999_999_999_999_999, 10),
                "-9999999999999999999999999999.9999999999",
            ),
            of("numeric(5,2)", Decimal(0, 2), "0.00"),
            of("money", Money(i64::MAX), "922337203685477.5807"),
            of("money", Money(-1), "-0.0001"),
            of("smallmoney", Money(-2_147_483_648), "-214748.3648"),
            of("real", Real(0.5), "5.0000000000000000e-001"),
            of("float", Float(0.1), "1.0000000000000001e-001"),
            of("float", Float(f64::MAX), "1.7976931348623157e+308"),
            of("float", Float(-0.0), "-0.0000000000000000e+000"),
        ],
    )])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variants_other_values_are_text_that_depends_on_no_language() {
    let guid = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF];
    arrive(vec![Type::new(
        "sql_variant",
        "text",
        [
            of("date", Date(0), "0001-01-01"),
            of("date", Date(3_652_058), "9999-12-31"),
            of("time(7)", Time(NOONISH), "12:34:56.1234567"),
            of("datetime", DateTime(-53_690, 0), "1753-01-01 00:00:00.000"),
            of("datetime", DateTime(36_524, 2), "2000-01-01 00:00:00.007"),
            of("smalldatetime", SmallDateTime(36_524, 61), "2000-01-01 01:01:00.000"),
            of("datetime2(7)", DateTime2(Y2K, NOONISH), "2000-01-01 12:34:56.1234567"),
            of("datetimeoffset(7)", DateTimeOffset(Y2K, NOONISH, 540), "2000-01-01 21:34:56.1234567 +09:00"),
            of("nvarchar(10)", Value::text(""), ""),
            of("nvarchar(10)", Value::text("日本😀 "), "日本😀 "),
            of("varchar(10) COLLATE Japanese_CI_AS", Narrow(b"\x93\xfa\x96\x7b".to_vec()), "日本"),
            of("char(4)", Narrow(b"ab  ".to_vec()), "ab  "),
            of("binary(3)", Binary(vec![0, 1, 255]), "0x0001FF"),
            of("varbinary(10)", Binary(vec![]), "0x"),
            of("uniqueidentifier", Guid(guid), "00112233-4455-6677-8899-AABBCCDDEEFF"),
        ],
    )])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hierarchyid_arrives_as_its_path() {
    arrive(vec![Type::new(
        "hierarchyid",
        "text",
        [
            (Binary(vec![]), "/"),
            (Binary(vec![0x58]), "/1/"),
            (Binary(vec![0x5A, 0xC0]), "/1/1/"),
            (Binary(vec![0x68]), "/2/"),
            (Binary(vec![0x84]), "/4/"),
        ],
    )])
    .await;
}

fn of(base: &str, value: Value, text: &str) -> (Value, String) {
    (Value::variant(base, value), text.to_owned())
}
