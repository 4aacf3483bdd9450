//! Text in every form and code page: narrow text is planted as its bytes, so that no encoder stands between the case and the column.

use tds_stand_in::Value::{self, Narrow};

use super::{Type, arrive};

const JAPANESE: &str = "Japanese_CI_AS";
const LATIN: &str = "Latin1_General_CI_AS";
const UTF8: &str = "Latin1_General_100_CI_AS_SC_UTF8";
const DOS: &str = "SQL_Latin1_General_CP850_CI_AS";

#[tokio::test(flavor = "multi_thread")]
async fn wide_text_arrives_whole() {
    let same = |text: &str| (Value::text(text), text.to_owned());
    arrive(vec![
        Type::new("nvarchar(10)", "character varying(10)", ["", "日本語 𠮷😀é", "a  ", "😀😀😀😀😀"].map(same)),
        Type::new("nvarchar(4000)", "character varying(4000)", [same(""), same(&"漢".repeat(4_000))]),
        Type::new("nvarchar(max)", "text", [same(""), same("長い"), same(&"語😀x".repeat(50_000))]),
        Type::new(
            "nchar(4)",
            "character varying(4)",
            [(Value::text(""), "    "), (Value::text("日本"), "日本  "), (Value::text("😀é"), "😀é ")],
        ),
        Type::new("ntext", "text", ["", "本文😀"].map(same)),
        Type::new("sysname", "character varying(128)", [same("a"), same("表"), same(&"x".repeat(128))]),
        Type::new("nvarchar(20)", "character varying(20)", ["", "+81 3 1234 5678"].map(same)).named("PhoneNumber"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn narrow_text_in_japanese_arrives_as_its_characters() {
    arrive(vec![
        Type::new(
            "varchar(20)",
            "character varying(20)",
            [bytes(b"", ""), bytes(b"\x93\xfa\x96\x7b a", "日本 a"), bytes(b"\xb6\xc5", "ｶﾅ")],
        )
        .collated(JAPANESE),
        Type::new("varchar(20)", "character varying(20)", [bytes(b"\x87\x40\xfa\x40", "①ⅰ"), bytes(b"\x81\x60\x5c", "～\\")])
            .collated(JAPANESE),
        Type::new("char(6)", "character varying(6)", [bytes(b"", "      "), bytes(b"\x93\xfa\x96\x7b", "日本  ")]).collated(JAPANESE),
        Type::new("varchar(max)", "text", [bytes(b"", ""), (Narrow(b"\x8a\xbf".repeat(50_000)), "漢".repeat(50_000))]).collated(JAPANESE),
        Type::new("text", "text", [bytes(b"", ""), bytes(b"\x96\x7b\x95\xb6", "本文")]).collated(JAPANESE),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn narrow_text_in_other_code_pages_arrives_as_its_characters() {
    arrive(vec![
        Type::new("varchar(20)", "character varying(20)", [bytes(b"", ""), bytes(b"Z\xfcrich \x80 \x9f\xff", "Zürich € Ÿÿ")])
            .collated(LATIN),
        Type::new("varchar(8000)", "character varying(8000)", [(Narrow(vec![0xE9; 8_000]), "é".repeat(8_000))]).collated(LATIN),
        Type::new("char(4)", "character varying(4)", [bytes(b"", "    "), bytes(b"\xe9", "é   ")]).collated(LATIN),
        Type::new("text", "text", [bytes(b"", ""), bytes(b"\xc6gir", "Ægir")]).collated(LATIN),
        Type::new("varchar(20)", "character varying(20)", [bytes(b"", ""), bytes("日本é😀".as_bytes(), "日本é😀")]).collated(UTF8),
        Type::new("char(6)", "character varying(6)", [bytes("é".as_bytes(), "é    ")]).collated(UTF8),
        Type::new("varchar(8000)", "character varying(8000)", [bytes("日".repeat(2_666).as_bytes(), &"日".repeat(2_666))]).collated(UTF8),
        Type::new("varchar(max)", "text", [bytes(b"", ""), bytes("😀".as_bytes(), "😀")]).collated(UTF8),
        Type::new("varchar(20)", "character varying(20)", [bytes(b"", ""), bytes(b"\x82\xe1\x9c\xd5\xff", "éß£ı\u{a0}")]).collated(DOS),
        Type::new("char(4)", "character varying(4)", [bytes(b"\x9b", "ø   ")]).collated(DOS),
        Type::new("varchar(8000)", "character varying(8000)", [(Narrow(vec![0x81; 8_000]), "ü".repeat(8_000))]).collated(DOS),
    ])
    .await;
}

fn bytes(bytes: &[u8], text: &str) -> (Value, String) {
    (Narrow(bytes.to_vec()), text.to_owned())
}
