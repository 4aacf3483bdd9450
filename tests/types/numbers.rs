//! Whole numbers, floating point, decimals and money.

use tds_stand_in::Value::{Bit, Decimal, Float, Int, Money, Real};

use super::{Type, arrive};

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_arrive_exactly() {
    arrive(vec![
        Type::new("bit", "boolean", [(Bit(false), "f"), (Bit(true), "t")]),
        Type::new("tinyint", "smallint", [(Int(0), "0"), (Int(128), "128"), (Int(255), "255")]),
        Type::new("smallint", "smallint", [(Int(-32_768), "-32768"), (Int(0), "0"), (Int(-1), "-1"), (Int(32_767), "32767")]),
        Type::new(
            "int",
            "integer",
            [(Int(-2_147_483_648), "-2147483648"), (Int(0), "0"), (Int(65_536), "65536"), (Int(2_147_483_647), "2147483647")],
        ),
        Type::new(
            "bigint",
            "bigint",
            [
                (Int(i64::MIN), "-9223372036854775808"),
                (Int(0), "0"),
                (Int(9_007_199_254_740_993), "9007199254740993"),
                (Int(i64::MAX), "9223372036854775807"),
            ],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floating_point_arrives_bit_by_bit() {
    arrive(vec![
        Type::new(
            "real",
            "real",
            [
                (Real(f32::MIN), "-3.4028235e+38"),
                (Real(f32::MAX), "3.4028235e+38"),
                (Real(f32::MIN_POSITIVE), "1.1754944e-38"),
                (Real(0.0), "0"),
                (Real(0.1), "0.1"),
                (Real(16_777_217.0), "1.6777216e+07"),
            ],
        ),
        Type::new(
            "float",
            "double precision",
            [
                (Float(f64::MIN), "-1.7976931348623157e+308"),
                (Float(f64::MAX), "1.7976931348623157e+308"),
                (Float(f64::MIN_POSITIVE), "2.2250738585072014e-308"),
                (Float(0.0), "0"),
                (Float(0.1), "0.1"),
                (Float(-1_234_567.890_625), "-1234567.890625"),
            ],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_arrive_with_all_their_digits() {
    const NINES: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;
    arrive(vec![
        Type::new(
            "decimal(38,0)",
            "numeric(38,0)",
            [
                (Decimal(-NINES, 0), "-99999999999999999999999999999999999999"),
                (Decimal(NINES, 0), "99999999999999999999999999999999999999"),
                (Decimal(0, 0), "0"),
                (Decimal(10_000, 0), "10000"),
                (Decimal(12_345_678_901_234_567_890_123, 0), "12345678901234567890123"),
            ],
        ),
        Type::new(
            "decimal(38,38)",
            "numeric(38,38)",
            [
                (Decimal(-NINES, 38), "-0.99999999999999999999999999999999999999"),
                (Decimal(NINES, 38), "0.99999999999999999999999999999999999999"),
                (Decimal(0, 38), "0.00000000000000000000000000000000000000"),
                (Decimal(1, 38), "0.00000000000000000000000000000000000001"),
            ],
        ),
        Type::new(
            "decimal(9,3)",
            "numeric(9,3)",
            [
                (Decimal(-999_999_999, 3), "-999999.999"),
                (Decimal(999_999_999, 3), "999999.999"),
                (Decimal(0, 3), "0.000"),
                (Decimal(1, 3), "0.001"),
                (Decimal(10_000_000, 3), "10000.000"),
            ],
        ),
        Type::new(
            "numeric(19,4)",
            "numeric(19,4)",
            [(Decimal(9_999_999_999_999_999_999, 4), "999999999999999.9999"), (Decimal(-1, 4), "-0.0001")],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_keeps_four_digits_after_the_point() {
    arrive(vec![
        Type::new(
            "money",
            "numeric(19,4)",
            [
                (Money(i64::MIN), "-922337203685477.5808"),
                (Money(i64::MAX), "922337203685477.5807"),
                (Money(0), "0.0000"),
                (Money(-1), "-0.0001"),
                (Money(9_007_199_254_740_993), "900719925474.0993"),
            ],
        ),
        Type::new(
            "smallmoney",
            "numeric(10,4)",
            [
                (Money(-2_147_483_648), "-214748.3648"),
                (Money(2_147_483_647), "214748.3647"),
                (Money(0), "0.0000"),
                (Money(12_345), "1.2345"),
            ],
        ),
    ])
    .await;
}
