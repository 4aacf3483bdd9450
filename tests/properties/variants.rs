//! Types that the server turns into text or bytes: variants of every base type, paths, shapes, JSON, vectors.

use fastrand::Rng;
use tds_stand_in::{Spatial, Value};

use super::moments::{DAY_1753, DAY_1900, DAY_2079, LAST_DAY, clock, day, day_text, ticks};
use super::numbers::interesting;
use super::{Column, Drawn, family, one_of, prove, texts};
use crate::support::values::{decimal, hex};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_converts_arrives_exactly() {
    prove(vec![
        family("sql_variant", [Column::new("sql_variant", "text", variant)]),
        family("hierarchyid", [Column::new("hierarchyid", "text", path)]),
        family("geometry", [Column::new("geometry", "bytea", |rng| shape(rng, false)).with_part("srid")]),
        family("geography", [Column::new("geography", "bytea", |rng| shape(rng, true)).with_part("srid")]),
        family("json", [Column::new("json", "jsonb", |rng| said(json(rng, 3)))]),
        family("vector", [Column::new("vector(3)", "text", vector)]),
    ])
    .await;
}

fn said(text: String) -> Drawn {
    (Value::text(&text), text)
}

fn variant(rng: &mut Rng) -> Drawn {
    let (base, value, text) = if rng.bool() {
        number(rng)
    } else if rng.bool() {
        moment(rng)
    } else {
        other(rng)
    };
    (Value::variant(&base, value), text)
}

fn number(rng: &mut Rng) -> (String, Value, String) {
    let whole = |rng: &mut Rng, base: &str, least: i64, most: i64| {
        let number = interesting(rng, least.into(), most.into()) as i64;
        (base.to_owned(), Value::Int(number), number.to_string())
    };
    match rng.u8(..9) {
        0 => ("bit".to_owned(), Value::Bit(true), "1".to_owned()),
        1 => whole(rng, "tinyint", 0, 255),
        2 => whole(rng, "smallint", i16::MIN.into(), i16::MAX.into()),
        3 => whole(rng, "int", i32::MIN.into(), i32::MAX.into()),
        4 => whole(rng, "bigint", i64::MIN, i64::MAX),
        5 => {
            let (precision, scale) = one_of(rng, &[(38, 0), (38, 38), (20, 7), (5, 2)]);
            let most = 10_i128.pow(precision) - 1;
            let number = interesting(rng, -most, most);
            (format!("decimal({precision},{scale})"), Value::Decimal(number, scale), decimal(number, scale.into()))
        }
        6 => {
            let number = interesting(rng, i64::MIN.into(), i64::MAX.into()) as i64;
            ("money".to_owned(), Value::Money(number), decimal(number.into(), 4))
        }
        7 => {
            let number = f32::from_bits(rng.u32(..));
            let number = if number.is_finite() { number } else { -0.1 };
            ("real".to_owned(), Value::Real(number), scientific(number.into(), 16))
        }
        _ => {
            let number = f64::from_bits(rng.u64(..));
            let number = if number.is_finite() { number } else { -0.1 };
            ("float".to_owned(), Value::Float(number), scientific(number, 16))
        }
    }
}

/// As SQL Server writes it in full: digits after the point, and an exponent of three digits with its sign.
fn scientific(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    format!("{mantissa}e{}{:03}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn moment(rng: &mut Rng) -> (String, Value, String) {
    match rng.u8(..6) {
        0 => {
            let day = day(rng, 0, LAST_DAY);
            ("date".to_owned(), Value::Date(day as i32), day_text(day))
        }
        1 => {
            let (day, tick) = (day(rng, DAY_1753, LAST_DAY), rng.i64(0..300 * 86_400));
            let milliseconds = (tick * 1_000 + 150) / 300;
            let text = format!("{} {}", day_text(day), clock(milliseconds * 10_000, 3));
            ("datetime".to_owned(), Value::DateTime((day - DAY_1900) as i32, tick as u32), text)
        }
        2 => {
            let (day, minute) = (day(rng, DAY_1900, DAY_2079), rng.i64(0..1_440));
            let text = format!("{} {}", day_text(day), clock(minute * 600_000_000, 3));
            ("smalldatetime".to_owned(), Value::SmallDateTime((day - DAY_1900) as u16, minute as u16), text)
        }
        3 => {
            let scale = rng.u8(..8);
            let ticks = ticks(rng, scale);
            // Of any scale the server writes seven digits.
            (format!("time({scale})"), Value::Time(ticks as u64), clock(ticks, 7))
        }
        4 => {
            let scale = rng.u8(..8);
            let (day, ticks) = (day(rng, 0, LAST_DAY), ticks(rng, scale));
            let text = format!("{} {}", day_text(day), clock(ticks, 7));
            (format!("datetime2({scale})"), Value::DateTime2(day as i32, ticks as u64), text)
        }
        _ => {
            // Local and UTC on the same day, so that nothing needs carrying.
            let (day, hour) = (day(rng, 0, LAST_DAY), 36_000_000_000);
            let ticks = 11 * hour + ticks(rng, 7) % hour;
            let offset = one_of(rng, &[0_i16, 540, -330, 60, -1]);
            let sign = if offset < 0 { '-' } else { '+' };
            let text = format!(
                "{} {} {sign}{:02}:{:02}",
                day_text(day),
                clock(ticks + i64::from(offset) * 600_000_000, 7),
                offset.abs() / 60,
                offset.abs() % 60
            );
            ("datetimeoffset(7)".to_owned(), Value::DateTimeOffset(day as i32, ticks as u64, offset), text)
        }
    }
}

fn other(rng: &mut Rng) -> (String, Value, String) {
    match rng.u8(..5) {
        0 | 1 => {
            let text = texts::text(rng, 30);
            ("nvarchar(30)".to_owned(), Value::text(&text), text)
        }
        2 => {
            let text: String = (0..rng.usize(..20)).map(|_| rng.char(' '..='~')).collect();
            ("varchar(30)".to_owned(), Value::Narrow(text.clone().into_bytes()), text)
        }
        3 => {
            let bytes: Vec<u8> = (0..rng.usize(..20)).map(|_| rng.u8(..)).collect();
            let text = format!("0x{}", hex(&bytes).to_uppercase());
            ("varbinary(30)".to_owned(), Value::Binary(bytes), text)
        }
        _ => {
            let bytes: [u8; 16] = std::array::from_fn(|_| rng.u8(..));
            let text = hex(&bytes).to_uppercase();
            let text = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-");
            ("uniqueidentifier".to_owned(), Value::Guid(bytes), text)
        }
    }
}

/// A path of small labels, as MS-SSCLRT packs them: a prefix by range, the label's low bits, a 1 that ends the level.
fn path(rng: &mut Rng) -> Drawn {
    let (mut bits, mut text) = (String::new(), "/".to_owned());
    for _ in 0..rng.usize(..8) {
        let label = rng.u8(..16);
        bits += &match label {
            0..=3 => format!("01{label:02b}1"),
            4..=7 => format!("100{:02b}1", label - 4),
            _ => format!("101{:03b}1", label - 8),
        };
        text += &format!("{label}/");
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('0');
    }
    let bytes = (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap());
    (Value::Binary(bytes.collect()), text)
}

/// A point or a line as well-known binary, and its SRID.
fn shape(rng: &mut Rng, is_globe: bool) -> Drawn {
    let mut number = |most: f64| (rng.f64() * 2.0 - 1.0) * most;
    let (x, y, z, m) = (number(180.0), number(90.0), number(1e300), number(1e-300));
    let srid = one_of(rng, &[4326, 4230, 0, 3857, 999_999]);
    let srid = if is_globe && srid == 0 { 4326 } else { srid };
    let (z, m) = (rng.bool().then_some(z), rng.bool().then_some(m));
    let point = if is_globe { Spatial::geography_point } else { Spatial::geometry_point };
    let code = [1_u32, 1_001, 2_001, 3_001][usize::from(z.is_some()) + 2 * usize::from(m.is_some())];
    let numbers: Vec<u8> = [x, y].into_iter().chain(z).chain(m).flat_map(f64::to_le_bytes).collect();
    let text = format!("\\x01{}{};{srid}", hex(&code.to_le_bytes()), hex(&numbers));
    (point(srid, (x, y), z, m).into(), text)
}

/// Any JSON, with blanks where they are allowed.
fn json(rng: &mut Rng, depth: u8) -> String {
    let blank = |rng: &mut Rng| one_of(rng, &["", "", "", " ", "\n", "\t "]);
    let inner = |rng: &mut Rng, of: &dyn Fn(&mut Rng) -> String| (0..rng.usize(..4)).map(|_| of(rng)).collect::<Vec<_>>().join(",");
    let value = match if depth == 0 { rng.u8(2..8) } else { rng.u8(..8) } {
        0 => format!("[{}]", inner(rng, &|rng| json(rng, depth - 1))),
        1 => format!("{{{}}}", inner(rng, &|rng| format!("{}:{}", quoted(rng), json(rng, depth - 1)))),
        2 => one_of(rng, &["true", "false", "null"]).to_owned(),
        3 => interesting(rng, -(10_i128.pow(38)), 10_i128.pow(38)).to_string(),
        4 => format!("{}{}.{:05}", one_of(rng, &["", "-"]), rng.u16(..), rng.u32(..100_000)),
        5 => format!("{}e{}", rng.u16(1..), rng.i16(-300..300)),
        _ => quoted(rng),
    };
    format!("{}{value}{}", blank(rng), blank(rng))
}

fn quoted(rng: &mut Rng) -> String {
    let text = texts::text(rng, 12);
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c < ' ' || rng.u8(..10) == 0 => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn vector(rng: &mut Rng) -> Drawn {
    let numbers: Vec<_> = (0..3).map(|_| scientific(f64::from(rng.f32() * 2_000.0 - 1_000.0), 7)).collect();
    said(format!("[{}]", numbers.join(",")))
}
