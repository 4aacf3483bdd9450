//! Narrow text in every code page of SQL Server's collations. What the bytes mean is asked of PostgreSQL, which has tables of its own.

use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;
use tds_stand_in::Value;

use super::{Column, Drawn, family, one_of, prove, texts};
use crate::support::postgres::Database;

/// A collation of each code page, and PostgreSQL's name for the encoding.
const KNOWN: [(&str, &str); 14] = [
    ("Thai_CI_AS", "WIN874"),
    ("Japanese_CI_AS", "SJIS"),
    ("Chinese_PRC_CI_AS", "GBK"),
    ("Korean_Wansung_CI_AS", "UHC"),
    ("Chinese_Taiwan_Stroke_CI_AS", "BIG5"),
    ("Polish_CI_AS", "WIN1250"),
    ("Cyrillic_General_CI_AS", "WIN1251"),
    ("Latin1_General_CI_AS", "WIN1252"),
    ("Greek_CI_AS", "WIN1253"),
    ("Turkish_CI_AS", "WIN1254"),
    ("Hebrew_CI_AS", "WIN1255"),
    ("Arabic_CI_AS", "WIN1256"),
    ("Estonian_CI_AS", "WIN1257"),
    ("Vietnamese_CI_AS", "WIN1258"),
];

/// PostgreSQL has no tables of DOS: the characters from 0x80, as IBM printed them.
const DOS: [(&str, &str); 2] = [
    (
        "SQL_Latin1_General_CP437_CI_AS",
        "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
    ),
    (
        "SQL_Latin1_General_CP850_CI_AS",
        "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}",
    ),
];

/// A postal mark that Korea's standard has had since 2002 and Windows' code page has not.
const YOUNGER: char = '㉾';

const UTF8: &str = "Latin1_General_100_CI_AS_SC_UTF8";

/// The characters of a code page: bytes and what they mean.
type Repertoire = Arc<Vec<(Vec<u8>, String)>>;

#[tokio::test(flavor = "multi_thread")]
async fn characters_of_every_code_page_arrive_exactly() {
    let pages = repertoires().await;
    let columns = |sql_type: &'static str, pg_type: &'static str, bytes: usize, is_padded: bool| {
        let known = KNOWN.map(|(collation, _)| collation).into_iter().chain(DOS.map(|(collation, _)| collation));
        let known = known.map(|collation| {
            let page = Arc::clone(&pages[collation]);
            Column::new(sql_type, pg_type, move |rng| narrow(rng, &page, bytes, is_padded)).collated(collation)
        });
        let unicode = Column::new(sql_type, pg_type, move |rng| unicode(rng, bytes, is_padded)).collated(UTF8);
        known.chain([unicode]).collect::<Vec<_>>()
    };
    prove(vec![
        family("char", columns("char(20)", "character varying(20)", 20, true)),
        family("varchar", columns("varchar(30)", "character varying(30)", 30, false)),
        family("varchar(max)", columns("varchar(max)", "text", 60, false)),
        family("text", columns("text", "text", 30, false)),
    ])
    .await;
}

async fn repertoires() -> HashMap<&'static str, Repertoire> {
    let db = Database::create().await;
    db.execute(
        "CREATE FUNCTION meaning(b bytea, page name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN convert_from(b, page); \
         EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$",
    )
    .await;
    let mut pages = HashMap::new();
    for (collation, page) in KNOWN {
        let query = format!(
            "SELECT encode(b, 'hex'), meaning(b, '{page}') FROM ({}) AS codes (b) WHERE length(meaning(b, '{page}')) = 1 \
             AND meaning(b, '{page}') <> '{YOUNGER}'",
            codes(page)
        );
        let rows = db.rows(&query).await.into_iter().map(|row| {
            let [code, meaning] = <[_; 2]>::try_from(row).unwrap().map(Option::unwrap);
            (bytes_of(&code), meaning)
        });
        let repertoire: Vec<_> = rows.collect();
        assert!(repertoire.len() > 80, "{page} has {} characters", repertoire.len());
        pages.insert(collation, Arc::new(repertoire));
    }
    for (collation, characters) in DOS {
        let repertoire: Vec<_> = (0x80..=0xFF_u8).zip(characters.chars()).map(|(byte, c)| (vec![byte], c.to_string())).collect();
        assert_eq!(repertoire.len(), 128, "{collation}");
        pages.insert(collation, Arc::new(repertoire));
    }
    pages
}

/// The byte sequences that may be characters beyond ASCII.
fn codes(page: &str) -> String {
    let byte = |name: &str| format!("lpad(to_hex({name}), 2, '0')");
    let pairs = |first: &str, last: &str| {
        format!(
            "SELECT decode({} || {}, 'hex') FROM generate_series(x'{first}'::int, x'{last}'::int) AS a, generate_series(64, 254) AS b WHERE b <> 127",
            byte("a"),
            byte("b")
        )
    };
    match page {
        "SJIS" => format!("{} UNION ALL SELECT decode(to_hex(a), 'hex') FROM generate_series(161, 223) AS a", pairs("81", "fc")),
        "GBK" => pairs("81", "fe"),
        // Without the users' own characters in 0xC9 and 0xFE, which the stand-in's conversion lacks.
        "UHC" => format!("{} UNION ALL {}", pairs("81", "c8"), pairs("ca", "fd")),
        // The standard's two levels: the makers' own characters around them differ.
        "BIG5" => format!("{} UNION ALL {}", pairs("a4", "c5"), pairs("c9", "f8")),
        _ => "SELECT decode(to_hex(a), 'hex') FROM generate_series(128, 255) AS a".to_owned(),
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Text of at most so many bytes in a code page, ASCII in between.
fn narrow(rng: &mut Rng, page: &Repertoire, most: usize, is_padded: bool) -> Drawn {
    let room = if rng.u8(..8) == 0 { 0 } else { rng.usize(..=most) };
    let (mut bytes, mut text) = (Vec::new(), String::new());
    loop {
        let (code, meaning) = if rng.u8(..4) == 0 {
            let ascii = rng.u8(1..0x80);
            (vec![ascii], char::from(ascii).to_string())
        } else {
            one_of(rng, page)
        };
        if bytes.len() + code.len() > room {
            break;
        }
        bytes.extend(code);
        text.push_str(&meaning);
    }
    finish(rng, bytes, text, most, is_padded)
}

fn unicode(rng: &mut Rng, most: usize, is_padded: bool) -> Drawn {
    // No unit of UTF-16 is more than three bytes.
    let text = texts::text(rng, most / 3);
    finish(rng, text.as_bytes().to_vec(), text, most, is_padded)
}

/// Blanks at the end: up to the width of a `char`, some behind other text.
fn finish(rng: &mut Rng, mut bytes: Vec<u8>, mut text: String, most: usize, is_padded: bool) -> Drawn {
    let room = most - bytes.len();
    let blanks = if is_padded { room } else { one_of(rng, &[0, 0, 0, 1, room]).min(room) };
    bytes.extend(std::iter::repeat_n(b' ', blanks));
    text.extend(std::iter::repeat_n(' ', blanks));
    (Value::Narrow(bytes), text)
}
