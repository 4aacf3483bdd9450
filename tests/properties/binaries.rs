//! Bytes of any length and content, and identifiers.

use fastrand::Rng;
use tds_stand_in::Value;

use super::{Column, Drawn, family, prove};
use crate::support::values::hex;

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_any_content_arrive_exactly() {
    prove(vec![
        family("binary", [1, 3, 8, 60].map(|width| Column::new(format!("binary({width})"), "bytea", move |rng| fixed(rng, width)))),
        family(
            "varbinary",
            [1, 7, 50]
                .map(|most| Column::new(format!("varbinary({most})"), "bytea", move |rng| bytes(rng, most)))
                .into_iter()
                .chain([Column::new("varbinary(max)", "bytea", long)]),
        ),
        family("image", [Column::new("image", "bytea", |rng| bytes(rng, 40))]),
        family("rowversion", [Column::new("rowversion", "bytea", |rng| fixed(rng, 8))]),
        family("uniqueidentifier", [Column::new("uniqueidentifier", "uuid", guid)]),
    ])
    .await;
}

fn fixed(rng: &mut Rng, width: usize) -> Drawn {
    let bytes: Vec<u8> = (0..width).map(|_| byte(rng)).collect();
    let text = format!("\\x{}", hex(&bytes));
    (Value::Binary(bytes), text)
}

fn bytes(rng: &mut Rng, most: usize) -> Drawn {
    let length = rng.usize(..=most);
    fixed(rng, length)
}

/// Now and then longer than a packet of the wire.
fn long(rng: &mut Rng) -> Drawn {
    let most = if rng.u16(..1_000) == 0 { 20_000 } else { 60 };
    bytes(rng, most)
}

fn byte(rng: &mut Rng) -> u8 {
    if rng.u8(..4) == 0 { [0x00, 0xFF, 0x80, 0x7F][rng.usize(..4)] } else { rng.u8(..) }
}

fn guid(rng: &mut Rng) -> Drawn {
    let mut bytes = [0; 16];
    bytes.iter_mut().for_each(|to| *to = byte(rng));
    let digits = hex(&bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    (Value::Guid(bytes), parts.join("-"))
}
