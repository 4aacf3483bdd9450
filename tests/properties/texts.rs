//! Wide text: characters of all planes, blanks at the end, the empty text, lengths up to the column's last unit.

use fastrand::Rng;
use tds_stand_in::Value;

use super::{Column, Drawn, family, one_of, prove};

#[tokio::test(flavor = "multi_thread")]
async fn characters_of_every_plane_arrive_exactly() {
    prove(vec![
        family(
            "nchar",
            [1, 4, 20].map(|units| {
                Column::new(format!("nchar({units})"), format!("character varying({units})"), move |rng| {
                    let text = doubtful(rng, units, 4);
                    padded(text, units)
                })
            }),
        ),
        family(
            "nvarchar",
            [1, 10, 50]
                .map(|units| {
                    Column::new(format!("nvarchar({units})"), format!("character varying({units})"), move |rng| wide(&text(rng, units)))
                })
                .into_iter()
                .chain([Column::new("nvarchar(max)", "text", long)]),
        ),
        family("ntext", [Column::new("ntext", "text", |rng| wide(&text(rng, 30)))]),
        family("sysname", [Column::new("sysname", "character varying(128)", |rng| wide(&doubtful(rng, 40, 300)))]),
        family("xml", [Column::new("xml", "xml", document)]),
    ])
    .await;
}

/// Text of at most so many UTF-16 units, often none, often all of them.
pub(super) fn text(rng: &mut Rng, units: usize) -> String {
    let room = match rng.u8(..6) {
        0 => 0,
        1 => units,
        _ => rng.usize(..=units),
    };
    let script = rng.u8(..9);
    let mut text = String::new();
    let mut used = 0;
    loop {
        let next = character(rng, script);
        used += next.len_utf16();
        if used > room {
            break;
        }
        text.push(next);
    }
    // Blanks at the end, as many as there is room for.
    if rng.u8(..8) == 0 {
        let blanks = rng.usize(..=units - text.encode_utf16().count());
        text.extend(std::iter::repeat_n(' ', blanks));
    }
    text
}

/// A character: most texts keep to one script, some mix them all.
fn character(rng: &mut Rng, script: u8) -> char {
    let any = |rng: &mut Rng| rng.char('\u{1}'..=char::MAX);
    match if script == 8 { rng.u8(..8) } else { script } {
        0 => rng.char(' '..='~'),
        1 => rng.char('\u{A0}'..='\u{24F}'),
        2 => rng.char('ぁ'..='龯'),
        3 => rng.char('\u{10000}'..=char::MAX),
        4 => rng.char('\u{590}'..='\u{8FF}'),
        5 => rng.char('\u{1F300}'..='\u{1FAFF}'),
        // What parsers trip over: quotes, separators, controls, marks of order and direction, the ends of planes.
        6 => one_of(
            rng,
            &[
                '\'',
                '"',
                '\\',
                '\t',
                '\n',
                '\r',
                '\u{1}',
                '\u{7F}',
                '\u{85}',
                '\u{A0}',
                '\u{200B}',
                '\u{202E}',
                '\u{2028}',
                '\u{300}',
                '\u{FEFF}',
                '\u{FFFE}',
                '\u{FFFF}',
                '\u{D7FF}',
                '\u{E000}',
                '\u{10FFFF}',
                '%',
                '\u{1F}',
                '\u{1FFFE}',
            ],
        ),
        _ => any(rng),
    }
}

/// Text of which one in so many holds U+FFFD, which stands for broken characters elsewhere and is a character here: such text is made sure of by reading it
/// again, and where it is frequent all text is read as bytes.
fn doubtful(rng: &mut Rng, units: usize, one_in: u16) -> String {
    let text = text(rng, units);
    if rng.u16(..one_in) > 0 { text } else { text.chars().map(|c| if c.len_utf16() == 1 && rng.bool() { '\u{FFFD}' } else { c }).collect() }
}

fn wide(text: &str) -> Drawn {
    (Value::text(text), text.to_owned())
}

/// SQL Server fills with blanks to the column's width.
fn padded(mut text: String, units: usize) -> Drawn {
    let blanks = units - text.encode_utf16().count();
    text.extend(std::iter::repeat_n(' ', blanks));
    wide(&text)
}

/// Now and then longer than a packet of the wire.
fn long(rng: &mut Rng) -> Drawn {
    let units = if rng.u16(..1_000) == 0 { 20_000 } else { 60 };
    wide(&text(rng, units))
}

/// An element around text: what documents cannot hold is left out, what means markup is escaped.
fn document(rng: &mut Rng) -> Drawn {
    let is_allowed = |c: &char| matches!(c, '\t' | '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    let text: String = text(rng, 30).chars().filter(is_allowed).collect();
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    wide(&format!("<r a=\"{}\">{text}</r>", rng.u8(..)))
}
