//! Numbers: ends, powers and their neighbours, any bits, any digits.

use fastrand::Rng;
use tds_stand_in::Value;

use super::{Column, Drawn, family, one_of, prove};
use crate::support::values::decimal;

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_any_size_arrive_exactly() {
    prove(vec![
        family("bit", [Column::new("bit", "boolean", bit)]),
        family("tinyint", [Column::new("tinyint", "smallint", |rng| whole(rng, 0, 255))]),
        family("smallint", [Column::new("smallint", "smallint", |rng| whole(rng, i16::MIN.into(), i16::MAX.into()))]),
        family("int", [Column::new("int", "integer", |rng| whole(rng, i32::MIN.into(), i32::MAX.into()))]),
        family("bigint", [Column::new("bigint", "bigint", |rng| whole(rng, i64::MIN, i64::MAX))]),
        family("real", [Column::new("real", "real", real)]),
        family("float", [Column::new("float", "double precision", float)]),
        family("money", [Column::new("money", "numeric(19,4)", |rng| money(rng, i64::MIN, i64::MAX))]),
        family("smallmoney", [Column::new("smallmoney", "numeric(10,4)", |rng| money(rng, i32::MIN.into(), i32::MAX.into()))]),
        family("decimal", [(1, 0), (5, 5), (9, 3), (18, 0), (19, 19), (28, 14), (38, 0), (38, 38)].map(|sizes| exact("decimal", sizes))),
        family("numeric", [(1, 1), (4, 4), (10, 0), (20, 7), (29, 1), (37, 5), (38, 3), (38, 19)].map(|sizes| exact("numeric", sizes))),
    ])
    .await;
}

fn bit(rng: &mut Rng) -> Drawn {
    let bit = rng.bool();
    (Value::Bit(bit), if bit { "true" } else { "false" }.to_owned())
}

fn whole(rng: &mut Rng, least: i64, most: i64) -> Drawn {
    let number = interesting(rng, least.into(), most.into()) as i64;
    (Value::Int(number), number.to_string())
}

fn money(rng: &mut Rng, least: i64, most: i64) -> Drawn {
    let number = interesting(rng, least.into(), most.into()) as i64;
    (Value::Money(number), decimal(number.into(), 4))
}

fn exact(name: &str, (precision, scale): (u8, u8)) -> Column {
    let declared = format!("{name}({precision},{scale})");
    let most = 10_i128.pow(precision.into()) - 1;
    Column::new(declared, format!("numeric({precision},{scale})"), move |rng| {
        let number = interesting(rng, -most, most);
        (Value::Decimal(number, scale), decimal(number, scale.into()))
    })
}

/// A number of the range: its ends, zero, powers of two and ten and their neighbours, any number of digits, zeros at the end, anything.
pub(super) fn interesting(rng: &mut Rng, least: i128, most: i128) -> i128 {
    let near = i128::from(rng.i8(-2..=2));
    let sign = if rng.bool() { 1 } else { -1 };
    let digits = || 10_i128.pow(38);
    let number = match rng.u8(..8) {
        0 => one_of(rng, &[least, most, 0]) + near,
        1 => sign * (1_i128 << rng.u8(..127)) + near,
        2 => sign * 10_i128.pow(rng.u32(..=38)) + near,
        3 => i128::from(rng.i16(..)),
        4 | 5 => {
            let some = 10_i128.pow(rng.u32(..=38));
            rng.i128(-some..=some)
        }
        6 => {
            let zeros = 10_i128.pow(rng.u32(..20));
            (rng.i128(-digits()..=digits()) / zeros) * zeros
        }
        _ => rng.i128(least..=most),
    };
    if (least..=most).contains(&number) { number } else { rng.i128(least..=most) }
}

fn real(rng: &mut Rng) -> Drawn {
    let number = match rng.u8(..6) {
        0 => one_of(rng, &[f32::MIN, f32::MAX, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, 0.0, -0.0, f32::EPSILON, 16_777_216.0]),
        1 => rng.i32(..) as f32,
        2 => f32::from(rng.i16(..)) / 100.0,
        _ => f32::from_bits(rng.u32(..)),
    };
    // SQL Server stores neither infinities nor NaN.
    let number = if number.is_finite() { number } else { 0.1 };
    (Value::Real(number), format!("{number:e}"))
}

fn float(rng: &mut Rng) -> Drawn {
    let number = match rng.u8(..6) {
        0 => one_of(rng, &[f64::MIN, f64::MAX, f64::MIN_POSITIVE, -f64::MIN_POSITIVE, 0.0, -0.0, f64::EPSILON, 9_007_199_254_740_993.0]),
        1 => rng.i64(..) as f64,
        2 => f64::from(rng.i32(..)) / 100.0,
        _ => f64::from_bits(rng.u64(..)),
    };
    let number = if number.is_finite() { number } else { 0.1 };
    (Value::Float(number), format!("{number:e}"))
}
